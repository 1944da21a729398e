"""A whole campaign with real probes: our trainer, its commands, to the end of its budget."""

import sys

import pytest
import yaml

import bayescmr as bc
from bayescmr.campaign import open_store
from bayescmr.campaign.audit import audit
from bayescmr.campaign.campaign import Campaign
from bayescmr.campaign.export import export
from bayescmr.runners.contract import read_losses

pytestmark = pytest.mark.slow
SIZE, STEP = 25_248, 256
TOKENS = 40 * STEP


@pytest.fixture
def told(base, corpora, tmp_path):
    """One size, four ratios; the budget is that of some five runs."""
    run_flops = 6 * SIZE * TOKENS
    plan = {
        "name": "real",
        "target": {"size": SIZE, "domain": "code", "tokens": TOKENS, "tolerance": 0.05},
        "budget": 5.5 * run_flops,
        "batch": 2,
        "space": {
            "sizes": [SIZE],
            "ratios": [0, 0.3, 0.7, 1],
            "tokens": TOKENS,
            "checkpoints": 4,
            "step_tokens": STEP,
            "seeds": 2,
            "cost": {"evaluation_tokens": 2048},
        },
        "stop": {"width": 0.02},
        # A fit at each checkpoint of running probes would take minutes; test_deciding has them.
        "review": False,
        "probe": {
            "command": [sys.executable, "-m", "bayescmr", "probe", "job", "{job}"],
            "settings": {
                "base": str(base),
                "domain_corpora": str(corpora["code"]),
                "general": str(corpora["general"]),
                "learning_rate": 1e-3,
                "context": 32,
                "sequences": 8,
                "validation_tokens": 1024,
                "checkpoints": 4,
                "device": "cpu",
                "threads": 1,
            },
        },
        "runner": {"kind": "local", "slots": 2, "beat": 0.5},
    }
    path = tmp_path / "campaign.yaml"
    path.write_text(yaml.safe_dump(plan), encoding="utf-8")
    return path


def test_a_campaign_from_its_file_to_a_decision(told, tmp_path):
    seen = []
    with open_store(tmp_path / "store.db") as store:
        campaign = Campaign.new(store, told)
        end = campaign.run(interval=0.2, watch=lambda snapshot: seen.append(len(snapshot.rounds)))
        assert end.state == "stopped", end.reason
        assert [check for check in audit(store, "real") if check.status != "PASS"] == []
        assert 0 < end.budget.spent <= end.budget.total and end.budget.reserved == 0
        assert {a.state for a in end.attempts} == {"done"}
        # Fits came as losses did, and each chose among options with propensities.
        fits = [row for row in end.rounds if row.posterior]
        assert len(fits) >= 2 and seen == sorted(seen)
        for row in end.rounds:
            options = store.options("real", row.number)
            for _, pick in options.groupby("pick"):
                assert pick["propensity"].sum() == pytest.approx(1, abs=1e-9)
        last = fits[-1]
        assert last.decision["stop"] is not None
        assert 0 <= last.posterior["cmr"]["lower"] <= last.posterior["cmr"]["upper"] <= 1
        # What probes wrote is what was fitted, and the kept posterior is the fit of it.
        table = campaign.runs()
        for run, rows in table.groupby("run"):
            general = {
                row.tokens: row.value
                for row in read_losses(campaign.config.folder / run)
                if row.role == "general"
            }
            assert dict(zip(rows["tokens"], rows["loss_general"], strict=True)) == general
        export(store, "real", tmp_path / "exported")
    kept = bc.load(sorted((campaign.config.folder / "fits").glob("*.nc"))[-1])
    assert kept.provenance.fingerprint == last.fingerprint
    # Domain losses are kept and exported, and not waited for: they have no part in a decision.
    assert table["loss_domain"].notna().any()
    assert set(kept.blocks) == {"general"} == set(kept.frame["role"])
    runs = bc.read_runs(tmp_path / "exported" / "runs.csv")
    assert set(runs.frame["run"]) == set(kept.frame["run"])


def test_a_probe_command_that_fails_pauses_the_campaign(told, tmp_path):
    """It is tried as often as asked, charged for nothing that it cannot have trained, and said."""
    plan = yaml.safe_load(told.read_text())
    plan["probe"]["settings"]["base"] = str(tmp_path / "nowhere")
    plan["attempts"] = 2
    told.write_text(yaml.safe_dump(plan))
    with open_store(tmp_path / "store.db") as store:
        end = Campaign.new(store, told).run(interval=0.1)
    assert end.state == "paused" and "the last" in end.reason and "nowhere" in end.reason
    assert end.budget.spent == 0
    # The others wait until somebody has mended it.
    assert {a.state for a in end.attempts if a.handle is not None} == {"failed"}
    assert sum(a.state == "failed" for a in end.attempts) >= 2
