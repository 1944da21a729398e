"""Laws: how a loss changes during continued pre-training. One law per file."""

from __future__ import annotations

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


def get_law(name: str) -> Law:
    """Return the law called ``name``; raise ModelError naming the known ones otherwise."""
    try:
        return _LAWS[name]
    except KeyError:
        known = ", ".join(sorted(_LAWS))
        raise ModelError(f"law: got {name!r}, expected one of {known}") from None


def law_names() -> list[str]:
    """Names of all shipped laws."""
    return sorted(_LAWS)


__all__ = ["Law", "Parameter", "Reference", "get_law", "law_names"]
