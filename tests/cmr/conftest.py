"""Posteriors that need no sampler: draws from the prior answer like a posterior."""

from __future__ import annotations

import pandas as pd
import pytest

import bayescmr as bc


def _table(sizes, domains, ratios, tokens, eval_sets=("general",), **extra):
    rows = [
        {
            "run": f"{n:g}-{d}-{r}",
            "size": n,
            "domain": d,
            "ratio": r,
            "tokens": t,
            "eval_set": s,
            "role": "general",
            "change": 0.0,
            **extra,
        }
        for n in sizes
        for d in domains
        for r in ratios
        for t in tokens
        for s in eval_sets
    ]
    return bc.RunTable.from_frame(pd.DataFrame(rows))


@pytest.fixture(scope="session")
def make_table():
    """Function that makes a table of a full design with changes of zero."""
    return _table


@pytest.fixture(scope="session")
def prior(make_table):
    """Prior draws for two sizes and two domains."""
    runs = make_table([1e8, 1e9], ["law", "code"], [0.1, 0.3, 0.7], [1e9, 4e9, 16e9])
    return bc.prior_predictive(runs, seed=3, draws=250)


@pytest.fixture(scope="session")
def prior_three_sets(make_table):
    """Prior draws with three general sets."""
    runs = make_table([1e8, 1e9], ["law"], [0.1, 0.3, 0.7], [1e9, 16e9], ("web", "maths", "code"))
    return bc.prior_predictive(runs, seed=4, draws=250)
