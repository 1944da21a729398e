"""Results of checks that take fits in a report: their own numbers, and no other question's."""

from __future__ import annotations

import getpass
import json
import platform
import shutil
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import matplotlib.figure
import numpy as np
import pandas as pd
import pytest

import bayescmr as bc
from bayescmr.checks.sbc_result import SBCResult
from bayescmr.cli.app import run
from bayescmr.comparison.loo import reweighted
from bayescmr.errors import CheckError, ReportError, TargetError
from bayescmr.posterior.pointwise import run_log_likelihood
from bayescmr.report import plot_sbc
from bayescmr.report.data import ReportData, report_data
from bayescmr.report.document import Check, Figure, Number, Section, Table
from bayescmr.report.studies import Studies

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
    data = report_data(posterior, TARGET, studies=Studies(SBCResult.read(file)))
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
            s
            for s in report_data(posterior, TARGET, studies=Studies(sbc)).sections
            if s.letter == "M"
        )
        items = [c for b in section.blocks for c in getattr(b, "items", ())]
        return next(c.status for c in items if c.name == title)

    assert status(None) == "NOT RUN"
    assert status(SBCResult.read(file)) == SBCResult.read(file).outcome != "NOT RUN"


def test_another_design_or_model_is_refused(file: Path, runs: bc.RunTable) -> None:
    study = SBCResult.read(file)
    other = bc.prior_predictive(_runs((0.3, 0.6)), "shift_gain", seed=1, draws=60)
    with pytest.raises(ReportError, match="sbc: got a study of another design"):
        report_data(other, TARGET, studies=Studies(study))
    model = bc.prior_predictive(runs, "turning_point", seed=1, draws=60)
    with pytest.raises(ReportError, match="study of the model shift_gain, expected one of turning"):
        report_data(model, TARGET, studies=Studies(study))


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


def test_ecdfs_are_drawn_on_the_axes_that_are_given(file: Path) -> None:
    study = SBCResult.read(file)
    own = plot_sbc(study)
    titles = [panel.get_title() for panel in own]
    heads = {name.partition("[")[0] for name in study.header["quantities"]}
    kinds = {head for head in heads if not head.startswith("CMR")} | {"critical mixture ratios"}
    assert set(titles) == kinds and len(titles) == len(kinds)
    given = list(mpl.figure.Figure().subplots(1, len(titles)))
    assert plot_sbc(study, ax=given) is given
    ranks = study.ranks()
    column = list(study.header["quantities"]).index("log likelihood")
    (line,) = given[titles.index("log likelihood")].lines
    x, y = line.get_data()
    # Bins at multiples of 1 / (L + 1): a rank r counts below every point beyond r / (L + 1).
    share = [
        np.mean(ranks[:, column] + 1 <= at * (study.header["ranked_draws"] + 1) + 1e-9) for at in x
    ]
    np.testing.assert_allclose(y[1:-1], (share - x)[1:-1], atol=1e-9)
    with pytest.raises(TargetError, match=r"got 2 axes, expected \d+, one for each kind"):
        plot_sbc(study, ax=given[:2])


# -- other priors, and without single runs -----------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small fit, too short to converge, and what the two commands found of it."""
    folder = tmp_path_factory.mktemp("studies")
    rng = np.random.default_rng(1)
    rows = [
        {
            "run": f"r{r}",
            "size": 4e8,
            "domain": "law",
            "ratio": r,
            "tokens": t,
            "change_general": 0.06 * r * (t / 2e10) ** 0.3 + 5e-4 * rng.standard_normal(),
        }
        for r in (0.1, 0.3, 0.5, 0.7, 0.9)
        for t in (1e9, 5e9, 2e10)
    ]
    runs = bc.RunTable.from_frame(pd.DataFrame(rows), source="runs.csv")
    fit = bc.fit(runs, model="shift_gain", seed=1, draws=250, tune=250, retries=0)
    fit.save(folder / "fit.nc")
    words = [str(folder / "fit.nc"), *QUESTION]
    sensitivity = ["check", "sensitivity", *words, "--widen", "2"]
    assert run([*sensitivity, "--out", str(folder / "sensitivity.json")]) == 3
    assert run(["check", "influence", *words, "--out", str(folder / "influence.json")]) == 3
    return folder


QUESTION = [
    "--size",
    "4e8",
    "--domain",
    "law",
    "--tokens",
    "2e10",
    "--tolerance",
    "0.03",
    "--risk",
    "0.2",
]
ASKED = bc.Target(4e8, "law", 2e10, 0.03)


def _section(data: ReportData, letter: str) -> Section:
    return next(s for s in data.sections if s.letter == letter)


@pytest.fixture(scope="module")
def studies(folder: Path) -> Studies:
    return Studies(
        sensitivity=bc.PriorAlternatives.read(folder / "sensitivity.json"),
        influence=bc.Influence.read(folder / "influence.json"),
    )


@pytest.fixture(scope="module")
def fitted(folder: Path) -> bc.Posterior:
    posterior = bc.load(folder / "fit.nc")
    assert isinstance(posterior, bc.Posterior)
    return posterior


@pytest.fixture(scope="module")
def reported(fitted: bc.Posterior, studies: Studies) -> ReportData:
    return report_data(fitted, ASKED, risk=0.2, file="fit.nc", studies=studies)


def test_section_i_quotes_the_files_and_nothing_else(
    folder: Path, fitted: bc.Posterior, reported: ReportData
) -> None:
    """Own answer and posterior sd by numpy from the draws, all others from the files."""
    cmr = fitted.cmr(ASKED)
    draws = np.sort(cmr.draws["tolerance"].ravel())
    new_run = np.sort(cmr.predictive["tolerance"])
    sd, median = draws.std(ddof=1), np.median(draws)
    decision = new_run[int(0.2 * len(new_run) + 1e-9)]
    anew: dict[str, float] = {}
    for table, key in (("alternatives", "alternatives"), ("influence", "runs")):
        study = "sensitivity" if table == "alternatives" else table
        rows = json.loads((folder / f"{study}.json").read_text())[key]
        shifts = []
        for i, row in enumerate(rows, 1):
            assert row["median_shift"] == pytest.approx(row["median"] - median, abs=1e-12)
            assert row["decision_shift"] == pytest.approx(row["decision"] - decision, abs=1e-12)
            shifts.append(max(abs(row["median"] - median), abs(row["decision"] - decision)) / sd)
            kept = {k: v for k, v in row.items() if not isinstance(v, bool | str | None)}
            # Size of a probe stands in section C.
            kept = {k: v for k, v in kept.items() if k not in ("prob", "size")}
            anew |= {f"{table}_{i}_{k}": v for k, v in {**kept, "sds": shifts[-1]}.items()}
        anew[f"{table}_largest_shift"] = max(shifts)
        anew[f"{table}_not_converged"] = sum(not row["converged"] for row in rows)
        if table == "influence":
            anew["influence_refits"] = sum(row["exact"] for row in rows)
            anew["influence_probes"] = len(set(fitted.frame["run"]))
            anew["influence_most_decision"] = rows[0]["decision"]
            anew["influence_most_risk"] = rows[0]["risk_at_decision"]
        else:
            # The first row is the model's own priors.
            anew["alternatives_refits"] = len(rows) - 1
            anew["alternatives_not_converged"] -= not rows[0]["converged"]
    quoted = {n.name: n.value for n in _section(reported, "I").numbers}
    own = {k: v for k, v in quoted.items() if k.startswith(("alternatives_", "influence_"))}
    assert own.keys() == anew.keys()
    for name, value in anew.items():
        assert own[name] == pytest.approx(value, rel=1e-9, abs=1e-12), name


def test_the_answer_under_other_priors_is_that_of_such_a_fit(
    fitted: bc.Posterior, studies: Studies
) -> None:
    again = bc.fit(
        bc.RunTable(fitted.frame, (), (), "", "runs.csv"),
        model=bc.widen_priors("shift_gain", 2.0),
        seed=1,
        draws=1000,
        tune=600,
        retries=0,
        reference=fitted.general.hierarchy.reference,
    )
    draws = again.cmr(ASKED).draws["tolerance"]
    assert studies.sensitivity is not None
    row = studies.sensitivity.table.iloc[1]
    assert row["median"] == np.median(draws)
    assert row["lower"] == np.quantile(draws, 0.05)


def test_without_a_run_weights_are_those_of_its_likelihood(
    fitted: bc.Posterior, studies: Studies
) -> None:
    """Where they are well behaved, smoothing hardly changes them."""
    assert studies.influence is not None
    table = studies.influence.table
    easy = table[(table["khat"] < 0.4) & ~table["exact"]]
    assert len(easy) > 0
    rows = fitted.frame[fitted.frame["role"] == "general"]
    names, values = run_log_likelihood(fitted.general, rows)
    new_run = fitted.cmr(ASKED).predictive["tolerance"]
    for row in easy.itertuples():
        weights = np.exp(-values[list(names).index(row.run)])
        broken = (new_run < studies.influence.decision) | (new_run == 0)
        expected = weights[broken].sum() / weights.sum()
        assert row.risk_at_decision == pytest.approx(expected, abs=0.02)


def _check(data: ReportData, title: str) -> Check:
    return next(c for c in data.checks if c.name == title)


def test_verdicts(fitted: bc.Posterior, studies: Studies, reported: ReportData) -> None:
    """Fits that have not converged are no ground for a PASS, nor is a shift beyond the limit."""
    for title in ("Refits with other priors", "Answer without each probe"):
        none = _check(report_data(fitted, ASKED, risk=0.2), title)
        assert (none.status, none.value) == ("NOT RUN", "needs refits")
        assert none.advice.startswith("Run: bayescmr check ")
        assert _check(reported, title).status == "REVIEW"
    assert studies.influence is not None and studies.sensitivity is not None
    for study, limit in ((studies.influence, 1.0), (studies.sensitivity, 0.5)):
        sd = study.about.sd
        table = study.table.assign(
            converged=True, median_shift=0.0, decision_shift=0.99 * limit * sd
        )
        assert replace(study, table=table).passed
        assert not replace(
            study, table=table.assign(converged=[False] + [True] * (len(table) - 1))
        ).passed
        assert not replace(study, table=table.assign(median_shift=-1.01 * limit * sd)).passed
        fixed = replace(study, about=replace(study.about, sd=0.0))
        assert replace(fixed, table=table.assign(decision_shift=0.0)).passed
        assert not replace(fixed, table=table.assign(decision_shift=1e-9)).passed


def test_same_bytes_from_the_object_and_from_its_file(
    folder: Path, fitted: bc.Posterior, studies: Studies, tmp_path: Path
) -> None:
    assert studies.influence is not None and studies.sensitivity is not None
    studies.influence.write(tmp_path / "influence.json")
    again = bc.Influence.read(tmp_path / "influence.json")
    assert again.about == studies.influence.about
    pd.testing.assert_frame_equal(again.table, studies.influence.table)
    fitted.report(
        tmp_path / "one", ASKED, risk=0.2, formats=["html", "json", "tex"], studies=studies
    )
    words = ["report", str(folder / "fit.nc"), *QUESTION, "--out", str(tmp_path / "two")]
    words += ["--sensitivity", str(folder / "sensitivity.json")]
    # The posterior is called "posterior.nc" where a report is made from memory.
    shutil.copy(folder / "fit.nc", tmp_path / "posterior.nc")
    words[1] = str(tmp_path / "posterior.nc")
    assert run([*words, "--influence", str(tmp_path / "influence.json")]) == 3
    for file in sorted(f for f in (tmp_path / "one").rglob("*") if f.is_file()):
        twin = tmp_path / "two" / file.relative_to(tmp_path / "one")
        assert twin.read_bytes() == file.read_bytes(), file
    page = (tmp_path / "two" / "report.html").read_text(encoding="utf-8")
    assert 'data-name="influence_1_median_shift"' in page
    assert "NOT RUN: refits" not in page
    section = "".join(f.read_text() for f in (tmp_path / "two" / "sections").glob("*.tex"))
    assert r"\cmrInfluenceLargestShift" in section
    assert r"\cmrAlternativesLargestShift" in section


def test_studies_of_something_else_are_refused_in_one_line(
    folder: Path, runs: bc.RunTable, fitted: bc.Posterior, tmp_path: Path, capsys
) -> None:
    out = ["--out", str(tmp_path / "report"), "--format", "json"]
    file = ["--influence", str(folder / "influence.json")]

    def refused(posterior: Path, *words: str) -> str:
        question = dict(zip(QUESTION[::2], QUESTION[1::2], strict=True))
        question |= dict(zip(words[::2], words[1::2], strict=True))
        options = [word for pair in question.items() for word in pair]
        assert run(["report", str(posterior), *options, *file, *out]) == 2
        line = capsys.readouterr().err.splitlines()[-1]
        assert not (tmp_path / "report").exists()
        return str(line)

    own = folder / "fit.nc"
    assert "--influence: got size 400000000, expected 500000000:" in refused(own, "--size", "5e8")
    assert "got tolerance 0.03, expected 0.04:" in refused(own, "--tolerance", "0.04")
    assert "--influence: got risk 0.2, expected 0.1:" in refused(own, "--risk", "0.1")
    assert "got estimand tolerance, expected gu:" in refused(own, "--estimand", "gu")
    assert "got prob 0.9, expected 0.5:" in refused(own, "--prob", "0.5")
    block = replace(fitted.general, coef=fitted.general.coef + 1e-9)
    moved = replace(fitted, blocks={**fitted.blocks, "general": block})
    assert "got a study of other draws" in refused(moved.save(tmp_path / "moved.nc"))
    prior = bc.prior_predictive(runs, "shift_gain", seed=1, draws=60)
    assert "got a study of another run table" in refused(prior.save(tmp_path / "table.nc"))
    other = bc.prior_predictive(runs, seed=1, draws=60).save(tmp_path / "model.nc")
    assert "got a study of the model shift_gain, expected turning_point" in refused(other)
    stacked = bc.StackedPosterior.of({"a": fitted}, {"a": 1.0}, {})
    assert "got a study of other draws" in refused(stacked.save(tmp_path / "stacked.nc"))


def _changed(text: str, **entries: object) -> str:
    return json.dumps(json.loads(text) | entries)


def test_the_card_says_how_long_the_fit_took_and_on_what(
    fitted: bc.Posterior, studies: Studies, tmp_path: Path
) -> None:
    """What was measured is in the file, so a report of it is the same on any day and machine."""
    seconds, made = fitted.provenance.seconds, fitted.provenance.machine
    assert set(seconds) == {"build", "compile", "sample", "post_process"}
    assert 0 < sum(seconds.values()) < 600 and seconds["sample"] > 0
    assert made["cores"] >= 1 and made["python"] == platform.python_version()
    assert not {platform.node(), getpass.getuser()} & {str(v) for v in made.values()}
    again = bc.load(fitted.save(tmp_path / "again.nc"))
    cards = []
    for name, posterior in (("one", fitted), ("two", again)):
        posterior.report(tmp_path / name, ASKED, formats=["json"])
        cards.append((tmp_path / name / "posterior_card.json").read_bytes())
    assert cards[0] == cards[1]
    inference = json.loads(cards[0])["inference"]
    assert inference["made"] == {"shift_gain": {"seconds": seconds, "machine": made}}


def test_damaged_files_are_refused(folder: Path, tmp_path: Path) -> None:
    text = (folder / "influence.json").read_text()
    rows = json.loads(text)["runs"]
    path = tmp_path / "influence.json"
    for content, words in (
        ("", "got no JSON"),
        ("[" * 100_000, "got no JSON"),
        ("[]", "got another file, expected what `bayescmr check influence --out` writes"),
        ((folder / "sensitivity.json").read_text(), "got another file"),
        (_changed(text, schema=2), "got schema 2, expected 1"),
        (_changed(text, runs=[]), "got no run"),
        (_changed(text, runs={"a": 1}), r"damaged \(TypeError: expected a list of rows\)"),
        (
            _changed(text, runs=[{**rows[0], "median": "0.3"}]),
            "row 1: median: got '0.3', expected a",
        ),
        (_changed(text, runs=[{**rows[0], "exact": 1}]), "row 1: exact: got 1, expected true or f"),
        (_changed(text, target={"size": -1}), "damaged"),
        (_changed(text, sd=None), "sd: got None, expected a number"),
        (_changed(text, estimand=[1]), r"estimand: got \[1\]"),
    ):
        path.write_text(content)
        with pytest.raises(CheckError, match=words) as error:
            bc.Influence.read(path)
        assert "\n" not in str(error.value)
    for content in (b"\xff\xfe\x00", b"{}"):
        path.write_bytes(content)
        with pytest.raises(CheckError, match=r"got no JSON|got another file"):
            bc.Influence.read(path)
    with pytest.raises(CheckError, match="cannot read"):
        bc.Influence.read(tmp_path / "absent.json")
    alone = _changed((folder / "sensitivity.json").read_text(), alternatives=None)
    path.write_text(alone)
    with pytest.raises(CheckError, match=r"got no refit under other priors, .* --widen 2"):
        bc.PriorAlternatives.read(path)


def test_json_on_the_screen_is_that_of_the_file(folder: Path, tmp_path: Path, capsys) -> None:
    words = ["check", "sensitivity", str(folder / "fit.nc"), *QUESTION, "--json"]
    capsys.readouterr()
    assert run([*words, "--out", str(tmp_path / "new" / "s.json")]) == 3
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "new" / "s.json").read_text())
    assert printed["alternatives"] is None and printed["quantities"]
    assert printed["target"] == ASKED.to_dict()


def test_where_draws_have_converged_and_nothing_moves_it_passes(
    saved: Path, target: bc.Target
) -> None:
    fit = bc.load(saved)
    assert isinstance(fit, bc.Posterior)
    rows = fit.frame[fit.frame["role"] == "general"]
    loo = reweighted(fit, run_log_likelihood(fit.general, rows)[1])
    found = bc.influence(fit, target, risk=0.4, loo=loo)
    still = replace(found, table=found.table.assign(median_shift=0.0, decision_shift=0.0))
    for study in (found, still):
        data = report_data(fit, target, risk=0.4, studies=Studies(influence=study))
        check = _check(data, "Answer without each probe")
        assert check.status == ("PASS" if study.passed else "REVIEW")
        sds = found.shifts.max() if study is found else 0
        assert check.value == f"largest shift {sds:.2g} posterior sds of the CMR"
        assert check.threshold == "<= 1, all fits converged"
    assert still.passed
