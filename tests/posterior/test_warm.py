"""A fit that starts from an earlier one: the same posterior, the same checks, less warm-up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import bayescmr as bc
from bayescmr import gu2024
from bayescmr.errors import ModelError
from bayescmr.posterior.diagnostics import measure
from bayescmr.posterior.warm import last_draws

#: The largest size and the budget of the published runs.
SIZE, TOKENS = 3.1e9, 20e9


def published() -> pd.DataFrame:
    """General losses of the published runs, at other checkpoints where they come later."""
    frame = gu2024.trajectories(checkpoints=10)
    return frame.drop(columns=["change_domain", "se_domain"])


@pytest.fixture(scope="module")
def earlier() -> bc.Posterior:
    """Without the run at the largest size and ratio below 1, and without every early checkpoint."""
    frame = published()
    late = frame["size"].eq(frame["size"].max()) & frame["ratio"].eq(0.75)
    return bc.fit(bc.RunTable.from_frame(frame[~late]), seed=1, cores=1)


@pytest.fixture(scope="module")
def runs() -> bc.RunTable:
    return bc.RunTable.from_frame(published())


@pytest.fixture(scope="module")
def warm(runs: bc.RunTable, earlier: bc.Posterior) -> bc.Posterior:
    return bc.fit(runs, seed=2, cores=1, previous=earlier)


@pytest.mark.slow
def test_same_answer_as_from_scratch(
    runs: bc.RunTable, warm: bc.Posterior, earlier: bc.Posterior
) -> None:
    """Medians and ends of the 90 % intervals of the three CMRs, within Monte Carlo error.

    One pair of fits of 4,000 draws; the error of a quantile is that of an effective sample of
    the smaller ESS of the two fits, its density estimated between the neighbouring quantiles
    (2 % on either side); bound: 4.5 standard errors on each of 9 differences.
    """
    cold = bc.fit(runs, seed=3, cores=1)
    assert warm.converged and cold.converged
    target = bc.Target(SIZE, "finance", TOKENS, tolerance=0.02)
    one, other = warm.cmr(target), cold.cmr(target)
    for name in one.draws:
        ess = min(measure({name: fit.draws[name]}).min_ess_tail for fit in (one, other))
        for level in (0.05, 0.5, 0.95):
            pair = [np.quantile(fit.draws[name], level) for fit in (one, other)]
            near = np.quantile(other.draws[name], [level - 0.02, level + 0.02])
            error = np.sqrt(2 * level * (1 - level) / ess) * np.ptp(near) / 0.04
            assert abs(pair[0] - pair[1]) <= 4.5 * error + 1e-6, (name, level)
    # New runs have moved the answer by more than that: the comparison is one.
    before = earlier.cmr(target)
    assert any(
        abs(np.median(before.draws[name]) - np.median(one.draws[name])) > 0.001
        for name in one.draws
    )


@pytest.mark.slow
def test_provenance_says_where_it_started(warm: bc.Posterior, earlier: bc.Posterior) -> None:
    settings = warm.provenance.settings
    assert settings["previous"] == earlier.provenance.fingerprint
    assert [a["warm"] for a in settings["attempts"]["general"]] == [True]
    assert earlier.provenance.settings["previous"] is None
    assert earlier.provenance.settings["attempts"]["general"][0]["warm"] is False


@pytest.mark.slow
def test_same_seed_and_same_start_same_draws(
    runs: bc.RunTable, warm: bc.Posterior, earlier: bc.Posterior, tmp_path
) -> None:
    """Whatever the number of cores, and also where the earlier fit comes from a file."""
    loaded = bc.load(earlier.save(tmp_path / "earlier.nc"))
    again = bc.fit(runs, seed=2, cores=2, previous=loaded)
    np.testing.assert_array_equal(again.general.coef, warm.general.coef)


@pytest.mark.slow
def test_a_warm_start_that_fails_is_followed_by_a_cold_one(
    runs: bc.RunTable, earlier: bc.Posterior
) -> None:
    """Draws that say that nearly everything is known: the frame is far too narrow."""
    block = earlier.general
    stuck = replace(
        block,
        coef=np.broadcast_to(block.coef[:1, :1], block.coef.shape),
        ln_effect_sd=np.broadcast_to(block.ln_effect_sd[:1, :1], block.ln_effect_sd.shape),
        noise=np.broadcast_to(block.noise[:1, :1], block.noise.shape) - 3.0,
    )
    bad = replace(earlier, blocks={"general": stuck})
    posterior = bc.fit(runs, seed=1, cores=1, draws=400, tune=100, previous=bad)
    attempts = posterior.provenance.settings["attempts"]["general"]
    assert attempts[0]["warm"]
    assert not any(a["warm"] for a in attempts[1:])
    assert posterior.converged or len(attempts) == 3


def test_new_levels_start_from_scratch(earlier: bc.Posterior) -> None:
    hierarchy = earlier.general.hierarchy
    assert last_draws(earlier, "general", hierarchy) is not None
    assert last_draws(earlier, "domain", hierarchy) is None
    for other in ({"sizes": (*hierarchy.sizes, 9e9)}, {"domains": ("finance", "law")}):
        assert last_draws(earlier, "general", replace(hierarchy, **other)) is None


def test_the_mean_moves_with_the_reference_size(earlier: bc.Posterior) -> None:
    hierarchy = earlier.general.hierarchy
    moved = replace(hierarchy, reference=replace(hierarchy.reference, size=2e9))
    draws = last_draws(earlier, "general", moved)
    assert draws is not None
    cell = (hierarchy.sizes[0], "finance", "general")
    want = earlier.general.coef.reshape(-1, *earlier.general.coef.shape[2:])
    picked = np.linspace(0, len(want) - 1, len(draws.coef), dtype=int)
    np.testing.assert_allclose(
        draws.coef @ moved.place(*cell).row, want[picked] @ hierarchy.place(*cell).row, rtol=1e-9
    )


def test_what_cannot_be_a_start_is_refused(runs: bc.RunTable, earlier: bc.Posterior) -> None:
    with pytest.raises(ModelError, match="previous: a fit of the model turning_point"):
        bc.fit(runs, seed=1, model="shift_gain", previous=earlier)
    with pytest.raises(ModelError, match="previous: got draws of the prior"):
        bc.fit(runs, seed=1, previous=replace(earlier, kind="prior"))
    with pytest.raises(ModelError, match="previous: got a str"):
        bc.fit(runs, seed=1, previous="posterior.nc")  # type: ignore[arg-type]
