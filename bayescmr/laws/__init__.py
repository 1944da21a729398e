"""Laws: how a loss changes during continued pre-training. One law per file."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from bayescmr.errors import ModelError
from bayescmr.laws.anchored_power import AnchoredPower
from bayescmr.laws.base import Law, Parameter, Reference
from bayescmr.laws.dcpt import DcptDomain, DcptGeneral
from bayescmr.laws.shift_gain import ShiftGain
from bayescmr.laws.turning_point import TurningPoint
from bayescmr.laws.two_power import TwoPower

_LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        TurningPoint(),
        ShiftGain(),
        TwoPower(),
        DcptGeneral(),
        AnchoredPower(),
        DcptDomain(),
    )
}


#: Packages name their laws in this group of entry points: ``name = "package.module:MyLaw"``.
ENTRY_POINTS = "bayescmr.laws"


def get_law(name: str) -> Law:
    """Return the law called ``name``; raise ModelError naming the known ones otherwise."""
    if name not in _LAWS:
        _load_installed()
    try:
        return _LAWS[name]
    except KeyError:
        known = ", ".join(sorted(_LAWS))
        raise ModelError(f"law: got {name!r}, expected one of {known}") from None


def law_names() -> list[str]:
    """Names of all known laws: shipped, registered, and of installed packages."""
    _load_installed()
    return sorted(_LAWS)


def register_law(law: Law) -> None:
    """Make a law of your own known to this process, so that models may name it.

    A package does the same for every process, the command line included, by an entry point of
    the group ``bayescmr.laws`` that is the class.

    Parameters
    ----------
    law : Law
        An instance; its ``name`` is the name in YAML.

    Raises
    ------
    ModelError
        Not a law, or another law has the name.
    """
    if not isinstance(law, Law):
        raise ModelError(f"law: got {law!r}, expected an instance of a subclass of Law")
    known = _LAWS.get(law.name)
    if known is not None and type(known) is not type(law):
        raise ModelError(f"law: got the name {law.name!r}, which {type(known).__name__} has")
    _LAWS[law.name] = law


@cache
def _load_installed() -> None:
    for point in entry_points(group=ENTRY_POINTS):
        register_law(point.load()())


__all__ = ["Law", "Parameter", "Reference", "get_law", "law_names", "register_law"]
