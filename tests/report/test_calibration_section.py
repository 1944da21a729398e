"""A study of calibration in a report: its own numbers, and no other design's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayescmr as bc
from bayescmr.checks.sbc_result import SBCResult
from bayescmr.errors import CheckError, ReportError
from bayescmr.report.data import report_data
from bayescmr.report.document import Figure, Number, Table

TARGET = bc.Target(4e8, "law", 2e10, 0.05)


def _runs(ratios: tuple[float, ...]) -> bc.RunTable:
    rows = [
        {
            "run": f"{r}",
            "size": 4e8,
            "domain": "law",
            "ratio": r,
            "tokens": t,
            "change_general": 0.0,
        }
        for r in ratios
        for t in (1e9, 5e9, 2e10)
    ]
    return bc.RunTable.from_frame(pd.DataFrame(rows))


@pytest.fixture(scope="module")
def runs() -> bc.RunTable:
    return _runs((0.2, 0.6))


@pytest.fixture(scope="module")
def file(runs: bc.RunTable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sbc") / "sbc.jsonl"
    bc.sbc(
        "shift_gain",
        seed=1,
        simulations=4,
        runs=runs,
        out=out,
        executor="serial",
        draws=60,
        tune=80,
    )
    return out


@pytest.fixture(scope="module")
def posterior(runs: bc.RunTable) -> bc.Posterior:
    return bc.prior_predictive(runs, "shift_gain", seed=1, draws=60)


def test_section_says_what_the_file_holds(file: Path, posterior: bc.Posterior) -> None:
    data = report_data(posterior, TARGET, sbc=SBCResult.read(file))
    section = next(s for s in data.sections if s.letter == "J")
    header, *records = [json.loads(line) for line in file.read_text().splitlines()]
    quoted = {n.name: n.value for n in section.numbers}
    assert quoted["sbc_simulations"] == len(records) == 4
    assert quoted["sbc_failed"] == sum(r["error"] is not None for r in records)
    lost = [r for r in records if r["error"] is None and not r["converged"]]
    assert quoted["sbc_not_converged"] == len(lost)
    assert quoted["sbc_quantities"] == len(header["quantities"])
    names = header["quantities"]
    ranks = np.array([r["ranks"] for r in records])
    percentiles = (ranks + 0.5) / (header["ranked_draws"] + 1)
    table = next(b for b in section.blocks if isinstance(b, Table))
    assert len(table.rows) == 7  # three CMRs at two targets, and the log likelihood
    for quantity, _, bias, _ in table.rows:
        assert isinstance(bias, Number)
        assert bias.value == pytest.approx(percentiles[:, names.index(quantity)].mean() - 0.5)
    figure = next(b for b in section.blocks if isinstance(b, Figure))
    own = percentiles[:, names.index("CMR tolerance, probed target")]
    for row in figure.data.itertuples():
        assert row.difference == pytest.approx((own <= row.at).mean() - row.at, abs=0.011 + 1e-9)


def test_check_takes_the_outcome(file: Path, posterior: bc.Posterior) -> None:
    title = "Simulation-based calibration at this design"

    def status(sbc: SBCResult | None) -> str:
        section = next(
            s for s in report_data(posterior, TARGET, sbc=sbc).sections if s.letter == "M"
        )
        items = [c for b in section.blocks for c in getattr(b, "items", ())]
        return next(c.status for c in items if c.name == title)

    assert status(None) == "NOT RUN"
    assert status(SBCResult.read(file)) == SBCResult.read(file).outcome != "NOT RUN"


def test_another_design_or_model_is_refused(file: Path, runs: bc.RunTable) -> None:
    study = SBCResult.read(file)
    other = bc.prior_predictive(_runs((0.3, 0.6)), "shift_gain", seed=1, draws=60)
    with pytest.raises(ReportError, match="sbc: got a study of another design"):
        report_data(other, TARGET, sbc=study)
    model = bc.prior_predictive(runs, "turning_point", seed=1, draws=60)
    with pytest.raises(ReportError, match="study of the model shift_gain, expected one of turning"):
        report_data(model, TARGET, sbc=study)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "damaged, or not a file of results"),
        ("run,size\n1,2\n", "damaged, or not a file of results"),
        ('{"coverage": 2}\n', "got another file of results"),
        ('{"bayescmr_sbc": 1}\n', "got no simulation"),
    ],
)
def test_wrong_files(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "sbc.jsonl"
    path.write_text(text)
    with pytest.raises(CheckError, match=words):
        SBCResult.read(path)
    with pytest.raises(CheckError, match="cannot read"):
        SBCResult.read(tmp_path / "absent.jsonl")
