"""The first-order critical ratio against its definition: losses after a very small step."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from bayescmr.errors import ProbeError
from bayescmr.probes.bases import MOMENTS
from bayescmr.probes.influence import _bootstrap, first_order_ratio, influence
from bayescmr.probes.jobs import plan
from bayescmr.probes.mixture import Mixture, validation_sequences

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("general", "domain", "expected"),
    [(1.0, -1.0, 0.5), (1.0, -3.0, 0.25), (1.0, 0.5, 1.0), (-1.0, -2.0, 0.0), (0.0, -1.0, 0.0)],
)
def test_the_zero_of_the_first_order_change(general, domain, expected):
    assert first_order_ratio(general, domain) == pytest.approx(expected)
    if 0 < expected < 1:
        zero = brentq(lambda r: (1 - r) * general + r * domain, 0, 1)
        assert zero == pytest.approx(expected)


@pytest.mark.parametrize("preconditioner", ["identity", "adam"])
def test_inner_products_are_slopes_of_the_validation_loss(preconditioner, probe_config):
    """Central differences along each training gradient, in float64."""
    config = replace(probe_config, validation_tokens=256)
    found = influence(config, batches=8, sequences=4, preconditioner=preconditioner)
    planned = plan(config)
    model = planned.model().double()
    weights = dict(model.named_parameters())
    context = config.training.context
    tokens = validation_sequences(planned.sources[0].corpus, context, 32 * context)

    def loss(ids):
        ids = torch.from_numpy(ids)
        logits = model(ids[:, :-1])
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())

    scale = {name: 1.0 for name in weights}
    if preconditioner == "adam":
        moments = planned.base.moments()
        for name in weights:
            step = moments[f"optimizer.{name}.step"].item()
            second = moments[f"optimizer.{name}.exp_avg_sq"].double() / (1 - 0.95**step)
            scale[name] = 1 / (second.sqrt() + 1e-8)
    for products, ratio in ((found.general, 0.0), (found.domain, 1.0)):
        mixture = Mixture(planned.sources, ratio=ratio, context=context, sequences=4, seed=3)
        model.zero_grad()
        loss(mixture.batch(1).tokens).backward()
        direction = {name: weight.grad * scale[name] for name, weight in weights.items()}
        size = 1e-6 / max(float(d.abs().max()) for d in direction.values())

        def moved(by, direction=direction):
            with torch.no_grad():
                for name, weight in weights.items():
                    weight += by * direction[name]
                value = loss(tokens).item()
                for name, weight in weights.items():
                    weight -= by * direction[name]
            return value

        slope = (moved(size) - moved(-size)) / (2 * size)
        assert products[:, 1].mean() == pytest.approx(slope, rel=2e-3)


def test_the_interval_covers_as_often_as_it_says():
    """Gradients of known mean with noise: 400 replicates, 16 batches of each kind.

    A bootstrap of 16 is a little short of its probability; 0.84 is four Monte Carlo errors (0.015)
    below 0.9. It must not be far above either.
    """
    rng = np.random.default_rng(1)
    validation, replay, domain = (rng.normal(size=200) for _ in range(3))
    replay, domain = 0.5 * validation + replay, domain - 0.8 * validation
    truth = first_order_ratio(validation @ replay, validation @ domain)
    hits, n = 0, 400
    for k in range(n):
        v, g, d = (mean + 2 * rng.normal(size=(16, 200)) for mean in (validation, replay, domain))
        low, high = np.quantile(_bootstrap(v @ g.T, v @ d.T, 1000, k), [0.05, 0.95])
        hits += low <= truth <= high
    assert 0.84 <= hits / n <= 0.96


def test_the_estimate_lies_in_its_interval(probe_config):
    found = influence(probe_config, batches=12, sequences=8)
    low, high = found.interval(0.9)
    assert low <= found.ratio <= high
    assert found.tokens == 3 * 12 * 8 * 32


def test_domain_text_that_is_replay_does_not_bind(probe_config, corpora):
    same = replace(probe_config, domain_corpora=probe_config.general)
    found = influence(same, batches=8, sequences=8)
    assert found.ratio == 1.0


def test_without_moments_adam_is_refused(probe_config, base, tmp_path):
    import shutil

    bare = tmp_path / "bare"
    shutil.copytree(base, bare)
    (bare / MOMENTS).unlink()
    with pytest.raises(ProbeError, match="use the preconditioner identity"):
        influence(replace(probe_config, base=str(bare)), batches=8, sequences=4)


def test_too_few_batches_are_refused(probe_config):
    with pytest.raises(ProbeError, match="batches: got 7"):
        influence(probe_config, batches=7)
