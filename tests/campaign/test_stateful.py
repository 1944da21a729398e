"""Any order of calls: the store agrees with a few lines of plain Python."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bayescmr.campaign import open_store
from bayescmr.campaign.audit import audit
from bayescmr.campaign.records import LossRow, NewAttempt, OptionRecord, PickRecord, RoundRecord
from bayescmr.errors import BudgetError, CampaignError

RUNS = ("a", "b", "c")
OPEN = ("reserved", "submitted")


class Model(RuleBasedStateMachine):
    """A store and what it should hold: budgets and charges in whole units of 1e9 FLOPs."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store = open_store(self.folder / "store.db")
        self.store.create("law", {}, budget=10e9)
        self.lease = self.store.acquire("law", "0", 0.0)
        pick = PickRecord((OptionRecord((), 1.0, 1.0, 1e9, 1.0),), 0)
        self.store.add_round(
            "law", self.lease, RoundRecord(1, "f", {}, 1, "p", "0", 0.0, None, {}, (pick,))
        )
        self.budget = 10
        self.attempts = {}  # key: [state, cost, charge]
        self.losses = {}  # (run, tokens): value
        self.events = 3

    def teardown(self):
        assert {check.status for check in audit(self.store, "law")} == {"PASS"}
        self.store.close()
        shutil.rmtree(self.folder)

    def committed(self):
        spent = sum(charge for _, _, charge in self.attempts.values())
        return spent, sum(cost for state, cost, _ in self.attempts.values() if state in OPEN)

    def refused(self, expected, call, *words):
        try:
            call(*words)
        except expected:
            return
        raise AssertionError(f"{call.__name__}{words} was not refused")

    @rule(run=st.sampled_from(RUNS), cost=st.integers(0, 6))
    def reserve(self, run, cost):
        mine = [key for key in self.attempts if key.startswith(run)]
        new = NewAttempt(run, 1e6, "law", 0.5, ord(run), 100, (50, 100), 100, cost * 1e9)
        words = ("law", self.lease, 1, [new])
        if sum(self.committed()) + cost > self.budget:
            self.refused(BudgetError, self.store.reserve, *words)
        elif any(self.attempts[key][0] in OPEN for key in mine):
            self.refused(CampaignError, self.store.reserve, *words)
        else:
            (attempt,) = self.store.reserve(*words)
            assert attempt.key == f"{run}-{len(mine) + 1}"
            self.attempts[attempt.key] = ["reserved", cost, 0]
            self.events += 1

    @precondition(lambda self: self.attempts)
    @rule(data=st.data(), pid=st.integers(1, 2))
    def submitted(self, data, pid):
        key = data.draw(st.sampled_from(sorted(self.attempts)))
        words = (key, self.lease, "local", {"pid": 1})
        if self.attempts[key][0] == "reserved":
            self.store.submitted(*words)
            self.attempts[key][0] = "submitted"
            self.events += 1
        elif self.store.attempts("law")[list(self.attempts).index(key)].handle:
            self.store.submitted(*words)  # the same again
        else:
            self.refused(CampaignError, self.store.submitted, *words)

    @precondition(lambda self: self.attempts)
    @rule(
        data=st.data(),
        outcome=st.sampled_from(["done", "stopped", "diverged", "failed", "lost"]),
        charge=st.integers(0, 6),
    )
    def settle(self, data, outcome, charge):
        key = data.draw(st.sampled_from(sorted(self.attempts)))
        state, cost, before = self.attempts[key]
        words = (key, self.lease, outcome, 100, charge * 1e9, None, "")
        if state in OPEN and charge <= cost:
            self.store.settle(*words)
            self.attempts[key] = [outcome, cost, charge]
            self.events += 1
        elif (state, before) == (outcome, charge):
            self.store.settle(*words)  # the same again
        else:
            self.refused(CampaignError, self.store.settle, *words)

    @rule(run=st.sampled_from(RUNS), tokens=st.sampled_from([0, 50, 100]), value=st.integers(0, 1))
    def record(self, run, tokens, value):
        words = (run, self.lease, [LossRow(tokens, "general", "general", "loss", 3.0 + value)])
        known = self.losses.get((run, tokens))
        if f"{run}-1" not in self.attempts or known not in (None, value):
            self.refused(CampaignError, self.store.record_losses, *words)
        else:
            assert self.store.record_losses(*words) == (known is None)
            self.events += known is None
            self.losses[run, tokens] = value

    @rule(budget=st.integers(0, 12))
    def set_budget(self, budget):
        if sum(self.committed()) > budget:
            self.refused(CampaignError, self.store.set_budget, "law", budget * 1e9)
        else:
            self.store.set_budget("law", budget * 1e9)
            self.budget = budget
            self.events += 1

    @rule()
    def kill(self):
        """The controller is gone without a word, and another goes on."""
        with self.store:  # closed in the end
            old = self.lease
            self.store = open_store(self.folder / "store.db", create=False)
            self.lease = self.store.acquire("law", "again", 0.0)
            self.events += 1
            self.refused(CampaignError, old.beat)

    @invariant()
    def agrees(self):
        spent, reserved = self.committed()
        budget = self.store.budget("law")
        assert (budget.total, budget.spent, budget.reserved) == (
            self.budget * 1e9, spent * 1e9, reserved * 1e9,
        )  # fmt: skip
        found = {a.key: [a.state, a.cost / 1e9, (a.charge or 0) / 1e9] for a in self.all()}
        assert found == self.attempts
        assert len(self.store.events("law")) == self.events

    def all(self):
        return self.store.attempts("law")


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=6, stateful_step_count=25, deadline=None)
