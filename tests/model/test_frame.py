"""Frames: exact for a Gaussian, whatever the draws that it is learned from."""

from __future__ import annotations

import numpy as np

from bayescmr.model.frame import Frame


def test_a_gaussian_is_found_from_draws_of_another() -> None:
    """Gradients know the covariance: no Monte Carlo error, though the draws are not even of it."""
    rng = np.random.default_rng(1)
    n = 6
    root = np.tril(rng.normal(size=(n, n))) + 2 * np.eye(n)
    covariance, mean = root @ root.T, rng.normal(size=n)
    start = Frame(rng.normal(size=n), np.diag(rng.uniform(0.5, 2.0, n)))
    draws = rng.normal(size=(100, n)) @ rng.normal(size=(n, n))
    points = start.centre + draws @ start.factor.T
    gradients = -np.linalg.solve(covariance, (points - mean).T).T @ start.factor
    found = start.refined(draws, gradients)
    np.testing.assert_allclose(found.factor @ found.factor.T, covariance, rtol=0.01, atol=0.01)
    np.testing.assert_allclose(found.centre, points.mean(axis=0), rtol=1e-12)


def test_what_the_draws_do_not_span_is_left_as_it_is() -> None:
    rng = np.random.default_rng(2)
    draws = np.zeros((50, 3))
    draws[:, 0] = 3.0 * rng.standard_normal(50)
    found = Frame.identity(3).refined(draws, -draws / 9.0)
    np.testing.assert_allclose(found.factor, np.diag([3.0, 1.0, 1.0]), rtol=1e-3, atol=1e-12)


def test_there_and_back() -> None:
    rng = np.random.default_rng(3)
    covariance = np.cov(rng.normal(size=(3, 20)))
    frame = Frame.around(rng.normal(size=3), covariance)
    w = rng.normal(size=(5, 3))
    np.testing.assert_allclose(frame.inward(frame.centre + w @ frame.factor.T), w, rtol=1e-10)
