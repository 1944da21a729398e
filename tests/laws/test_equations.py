"""Equations as TeX: there for every law, with each of its parameters, and read by mathtext."""

from __future__ import annotations

import pytest
from matplotlib.mathtext import MathTextParser

from bayescmr.laws import get_law, law_names

#: Signs of parameters whose name is not their sign.
_SIGNS = {
    "eps": r"\varepsilon",
    "a2": "a_2",
    "a3": "a_3",
    "s2": "s_2",
    "t_shift": r"t_\mathrm{shift}",
    "t_dom": r"t_\mathrm{dom}",
    "drop": r"\mathrm{drop}",
    "level": r"\mathrm{level}",
    "gap": r"\mathrm{gap}",
    **{name: rf"\{name}" for name in ("delta", "mu", "kappa", "nu", "eta", "beta", "gamma")},
}


@pytest.mark.parametrize("name", law_names())
def test_every_law_has_an_equation_that_can_be_set(name):
    law = get_law(name)
    parser = MathTextParser("path")
    for line in law.equation_tex.split(r"\\"):
        assert line.count("&") <= 1
        parser.parse(f"${line.replace('&', '')}$")
    for parameter in law.parameters:
        assert _SIGNS.get(parameter.name, parameter.name) in law.equation_tex, parameter.name
    assert "HELD" not in law.equation_tex and "OWN" not in law.equation_tex
