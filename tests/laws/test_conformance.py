"""Every shipped law passes the suite that we ship for laws written elsewhere."""

from __future__ import annotations

import subprocess
import sys
from typing import ClassVar

import pytest

from bayescmr.errors import ModelError
from bayescmr.laws import Law, get_law, law_names
from bayescmr.testing.laws import LawConformance


class TestTurningPoint(LawConformance):
    law: ClassVar[Law] = get_law("turning_point")


class TestShiftGain(LawConformance):
    law: ClassVar[Law] = get_law("shift_gain")


class TestTwoPower(LawConformance):
    law: ClassVar[Law] = get_law("two_power")


class TestAnchoredPower(LawConformance):
    law: ClassVar[Law] = get_law("anchored_power")


class TestDcptGeneral(LawConformance):
    law: ClassVar[Law] = get_law("dcpt_general")


class TestDcptDomain(LawConformance):
    law: ClassVar[Law] = get_law("dcpt_domain")


def test_every_registered_law_is_under_test() -> None:
    tested = {c.law.name for c in LawConformance.__subclasses__() if c.__module__ == __name__}
    assert tested == set(law_names())


def test_unknown_law_is_named_in_the_error() -> None:
    with pytest.raises(ModelError, match=r"'chinchilla'.*shift_gain"):
        get_law("chinchilla")


def test_laws_import_neither_pymc_nor_pytensor() -> None:
    code = (
        "import sys, bayescmr.laws, bayescmr.testing.laws;"
        "assert not {'pymc', 'pytensor', 'torch', 'ray'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
