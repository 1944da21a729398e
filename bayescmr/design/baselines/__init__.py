"""Policies to compare with: each says what to run next without asking what it is worth.

All but `MultiFidelityGP`, which asks a Gaussian process instead of a law.
"""

from bayescmr.design.baselines.bisection import Bisection
from bayescmr.design.baselines.grid import Grid
from bayescmr.design.baselines.multi_fidelity import Measured, MultiFidelityGP
from bayescmr.design.baselines.sobol import Sobol
from bayescmr.design.baselines.uniform import Random

__all__ = ["Bisection", "Grid", "Measured", "MultiFidelityGP", "Random", "Sobol"]
