"""Policies to compare with: each says what to run next without asking what it is worth."""

from bayescmr.design.baselines.bisection import Bisection
from bayescmr.design.baselines.grid import Grid
from bayescmr.design.baselines.sobol import Sobol
from bayescmr.design.baselines.uniform import Random

__all__ = ["Bisection", "Grid", "Random", "Sobol"]
