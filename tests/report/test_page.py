"""The page: what stands on it, that it is harmless, whole, and the same every time."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import bayescmr as bc
from bayescmr import gu2024
from bayescmr.errors import ReportError, TargetError
from bayescmr.posterior import StackedPosterior
from bayescmr.report.data import report_data
from bayescmr.report.document import Text
from bayescmr.report.html import page
from bayescmr.report.write import write_report

RISK = 0.4
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    r"\input{/etc/passwd} $\rm{x}$ %&_^~{}#",
    '=cmd("calc")!A1',
    "n" * 10_000,
    "\u202eevil \u05d0\u05d1\u05d2 \u0627\u0644\u0639",
]


@pytest.fixture(scope="module")
def text(written):
    return (written / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def document(text, read_page):
    return read_page(text)


def test_sections_are_the_acceptance_list(data, document):
    assert [s.letter for s in data.sections] == list("ABCDEFGHIJKLMNO")
    headings = [h.text for h in document.all("h2")]
    assert all(f"{s.letter} {s.title}" in headings for s in data.sections)


def test_the_answer_can_be_acted_upon(document):
    answer = document.by_id("answer").text.replace("\u00a0", " ")
    assert re.search(
        r"At 2\.2B parameters and 20B tokens, keep the finance share at or below [\d.]+ %; the"
        r" chance that the general loss then rises by more than 0\.05 nats/token is [\d.]+ %\.",
        answer,
    )
    assert re.search(r"90 % equal-tailed interval from [\d.]+ % to [\d.]+ %", answer)
    assert "The nearest probe is 1.4 times smaller" in answer


def test_nothing_is_fetched_and_only_the_own_script_may_run(text, document):
    assert not re.findall(r'(?:src|href)="(?!#)', text)
    assert not re.findall(r"@import|url\((?!#)", text)
    (policy,) = [
        m.attributes["content"]
        for m in document.all("meta")
        if m.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'")
    assert len(document.all("script")) == 2


def test_it_can_be_read_by_everybody(document):
    (html,) = document.all("html")
    assert html.attributes["lang"] == "en"
    for svg in document.all("svg"):
        named = svg.attributes.get("aria-label") or svg.attributes.get("aria-labelledby")
        assert named or svg.attributes.get("aria-hidden") == "true"
    for table in document.all("table"):
        assert table.all("caption")[0].text.strip()
        assert all(th.attributes["scope"] in ("col", "row") for th in table.all("th"))
    for slider in document.all("input"):
        name = slider.attributes["id"]
        assert [x for x in document.all("label") if x.attributes["for"] == name]
    ids = [e.attributes["id"] for e in document.every() if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    linked = {a.attributes["href"].removeprefix("#") for a in document.all("a")}
    assert linked <= set(ids)


def _contrast(one, other):
    def luminance(colour):
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_colours_have_the_contrast_of_wcag_aa(text):
    schemes = [
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{(.*?)\}", text, flags=re.DOTALL)[:2]
    ]
    pairs = [("ink", "paper"), ("soft", "paper"), ("soft", "wash"), ("accent", "paper")]
    pairs += [("safe", "paper"), ("ink", "wash"), ("ink", "fail-wash"), ("fail", "fail-wash")]
    pairs += [(s, f"{s}-wash") for s in ("pass", "review", "none")]
    for scheme in schemes:
        for front, back in pairs:
            assert _contrast(scheme[front], scheme[back]) >= 4.5, (front, back)


def test_no_day_and_no_place_of_this_machine(text, saved):
    assert str(saved.parent) not in text and "some/where" not in text
    assert not re.search(r"20\d\d-\d\d-\d\dT", text)


# -- what must not be overlooked ----------------------------------------------------------------


@pytest.fixture(scope="module")
def stuck(saved, target):
    """Chains that disagree."""
    posterior = bc.load(saved)
    coef = posterior.general.coef.copy()
    coef[0, :, :, 0] += 0.5
    blocks = {**posterior.blocks, "general": replace(posterior.general, coef=coef)}
    return report_data(replace(posterior, blocks=blocks), target, risk=RISK)


def test_a_posterior_that_did_not_converge_says_so_first(stuck, read_page):
    assert [c.status for c in stuck.banner] == ["FAIL"] * len(stuck.banner)
    document = read_page(page(stuck))
    start = document.by_id("answer").text
    assert start.index("FAIL: do not use this answer") < start.index("did not converge: do not use")
    assert "R-hat of every parameter" in start
    assert "must not be used" in document.by_id("explorer").text
    later = [c for c in stuck.checks if c not in stuck.banner]
    # Convergence gates everything: what looks at the draws passes no more.
    assert not [c for c in later if c.status == "PASS" and c.name.startswith(("Prior", "Post"))]


def test_a_good_posterior_has_no_banner(data, document):
    assert data.banner == ()
    assert "FAIL" not in document.by_id("answer").text
    assert not [e for e in document.every() if e.attributes.get("class") == "banner"]


def test_checks_say_where_thresholds_come_from_and_what_to_do(data):
    assert {c.status for c in data.checks} >= {"PASS", "NOT RUN"}
    for check in data.checks:
        assert check.value and check.threshold and check.source
        assert check.advice or check.status == "PASS"


def test_what_was_not_run_says_how_to_run_it(data, document):
    text = document.text
    for command in ("check sbc", "check influence", "check sensitivity", "compare"):
        assert f"bayescmr {command}" in text
    not_run = [c for c in data.checks if c.status == "NOT RUN"]
    assert all("Run: bayescmr" in c.advice for c in not_run if "Energy" not in c.name)


def test_guideline_items_without_a_block_are_not_reported(data, document):
    (table,) = [t for t in data.tables if t.name == "barg"]
    where = {row[1]: row[2] for row in table.rows}
    assert where["Refits with broad and informed priors"] == "NOT REPORTED"
    assert where["Posterior predictive check"] == "section H"
    loud = [e.text for e in document.by_id("table-barg").all("strong")]
    assert loud == ["NOT REPORTED"] * sum(v == "NOT REPORTED" for v in where.values())


def said(data):
    """All texts, without figures drawn."""
    blocks = [data.answer, *(b for section in data.sections for b in section.blocks)]
    return "\n".join(
        "".join(p if isinstance(p, str) else p.shown for p in b.pieces)
        for b in blocks
        if isinstance(b, Text)
    )


def test_prior_draws_are_no_answer(prior, target):
    data = report_data(prior, target, risk=RISK)
    assert data.banner[0].name == "Draws come from runs"
    assert said(data).startswith("These are draws from the prior: no run has been learnt from.")
    assert "NOT RUN: no run has been learnt from." in said(data)


def test_a_stacked_posterior_reports_every_component(prior, target, fitted_from):
    one = fitted_from(prior)
    runs = bc.RunTable(one.frame, (), (), one.provenance.fingerprint, one.provenance.source)
    other = replace(
        bc.prior_predictive(runs, "shift_gain", seed=2, draws=200),
        kind="posterior",
        provenance=one.provenance,
    )
    fits = {"turning_point": one, "shift_gain": other}
    stacked = StackedPosterior.of(fits, {"turning_point": 0.7, "shift_gain": 0.3}, {})
    data = report_data(stacked, target, risk=RISK)
    assert {"convergence_1", "convergence_2", "weights"} <= {t.name for t in data.tables}
    assert "Power-scaling needs one model" in said(data)
    assert "needs one model; ask each" in said(data)
    assert "NOT RUN: other laws" not in said(data)
    numbers = {n.name: n.value for n in data.numbers}
    assert numbers["weights_1_w"] == pytest.approx(0.7)
    assert numbers["answer_median"] == np.median(stacked.cmr(target).draws["tolerance"])


def test_a_domain_never_probed(saved):
    data = report_data(bc.load(saved), bc.Target(2e10, "law", 1e11, 0.05), risk=RISK)
    assert "No probe of law was made" in said(data)
    assert "none of this one was made" in said(data) and "5 times shorter" in said(data)


# -- hostile names ------------------------------------------------------------------------------


def test_hostile_names_are_harmless(fitted_from, read_page):
    frame = gu2024.trajectories(checkpoints=4)
    frame = frame[frame["size"] == 9.4e8][["size", "ratio", "tokens", "change_general"]]
    parts = [
        frame.assign(domain=name, run=[f"{name} {r}" for r in frame["ratio"]]) for name in HOSTILE
    ]
    table = pd.concat(parts).rename(columns={"change_general": f"change_general:{HOSTILE[0]}"})
    runs = bc.RunTable.from_frame(table, source=f"{HOSTILE[0]}.csv")
    assert set(runs.frame["domain"]) == set(HOSTILE)
    posterior = fitted_from(bc.prior_predictive(runs, seed=1, draws=100))
    for domain in HOSTILE[:1]:
        data = report_data(posterior, bc.Target(9.4e8, domain, 2e10, 0.05), risk=RISK)
        text = page(data)
        document = read_page(text)
        assert len(document.all("script")) == 2
        assert not document.all("img")
        assert not [a for e in document.every() for a in e.attributes if a.startswith("on")]
        assert not set("\u202e\u2067\x07") & set(text)
        assert "n" * 1000 not in text
        assert len(text) < 3_000_000
        assert "<script>alert(1)</script>" in document.text


# -- the folder ---------------------------------------------------------------------------------


def test_a_folder_that_holds_something_is_left_alone(data, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ReportError, match="not empty, expected a new or an empty folder"):
        write_report(data, tmp_path)
    assert [f.name for f in tmp_path.iterdir()] == ["mine.txt"]


def test_unknown_formats_are_refused_before_any_work(saved, target, tmp_path):
    for wrong in (["doc"], [], "html"):
        with pytest.raises(ReportError, match=r"formats: got .*, expected .*html"):
            bc.load(saved).report(tmp_path / "x", target, formats=wrong)
    assert list(tmp_path.iterdir()) == []


def test_a_renderer_that_fails_leaves_nothing(data, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bayescmr.report.plain.card_dict", fail)
    with pytest.raises(ReportError, match=r"cannot write .*: No space left on device"):
        write_report(data, tmp_path / "report", ["html", "json"])
    assert list(tmp_path.iterdir()) == []


def test_questions_that_cannot_be_asked(saved):
    posterior = bc.load(saved)
    with pytest.raises(TargetError, match="risk: got 1"):
        report_data(posterior, bc.Target(1e9, "finance", 1e10), risk=1)
    with pytest.raises(TargetError, match="target: got dict"):
        report_data(posterior, {"size": 1e9})
    with pytest.raises(TargetError, match="estimand: got 'best'"):
        report_data(posterior, bc.Target(1e9, "finance", 1e10), estimand="best")


def test_the_card_has_fingerprints(written, saved):
    card = json.loads((written / "posterior_card.json").read_text(encoding="utf-8"))
    provenance = bc.load(saved).provenance
    assert card["fingerprints"]["runs"] == provenance.fingerprint
    assert card["versions"] == provenance.versions
    assert card["diagnostics"]["converged"] is True
    assert len(card["fingerprints"]["draws"]) == 64


def test_another_draw_is_another_fingerprint(saved, target, data):
    posterior = bc.load(saved)
    noise = posterior.general.noise.copy()
    noise[0, 0, 0] += 1e-9
    blocks = {**posterior.blocks, "general": replace(posterior.general, noise=noise)}
    other = replace(posterior, blocks=blocks)
    from bayescmr.report.asked import Asked

    asked = Asked(other, target, RISK, "tolerance", 0.9, "posterior.nc")
    assert asked.posterior_fingerprint != data.provenance["posterior_fingerprint"]


def test_a_large_report_stays_small(fitted_from):
    """200 runs of 100 checkpoints in 12 domains; few draws, which the size hardly knows."""
    tokens = np.geomspace(2e8, 2e10, 100)
    rows = [
        {"run": f"run {j}", "size": (4.6e8, 9.4e8, 1.6e9, 3.1e9)[j // 12 % 4], "ratio": ratio}
        | {"domain": f"domain {j % 12}", "tokens": t, "change_general": 0.0, "change_domain": 0.0}
        for j, ratio in zip(range(200), np.tile([0.1, 0.3, 0.5, 0.7, 1.0], 40), strict=True)
        for t in tokens
    ]
    runs = bc.RunTable.from_frame(pd.DataFrame(rows))
    posterior = fitted_from(bc.prior_predictive(runs, seed=1, draws=25))
    data = report_data(posterior, bc.Target(7e9, "domain 3", 4e10, 0.05), risk=RISK)
    assert 200_000 < len(page(data).encode()) < 10_000_000
