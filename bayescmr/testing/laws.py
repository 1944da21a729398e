"""Conformance suite for laws: subclass :class:`LawConformance`, set ``law``, run pytest.

The suite ships with the package so that a law written elsewhere is held to the
same contract as ours::

    from bayescmr.testing.laws import LawConformance

    class TestMyLaw(LawConformance):
        law = MyLaw()

PyTensor is imported only when a test needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from bayescmr.laws import Law, Reference

Floats = NDArray[np.float64]
#: Supports a parameter may declare.
SUPPORTS = ("real", "positive", "unit")


def draw_unconstrained(law: Law, draws: int, scale: float, seed: int) -> dict[str, Floats]:
    """Draw every parameter of ``law`` from N(0, scale) on the unconstrained scale.

    Returns
    -------
    dict of str to ndarray, each of shape (draws, 1)
    """
    rng = np.random.default_rng(seed)
    return {p.name: rng.normal(0.0, scale, size=(draws, 1)) for p in law.parameters}


def to_natural(law: Law, free: dict[str, Floats]) -> dict[str, Floats]:
    """Map unconstrained values, by parameter name, to the natural scale; shapes are kept."""
    return {p.name: np.asarray(p.natural(free[p.name])) for p in law.parameters}


@dataclass(frozen=True)
class CompiledLaw:
    """A law compiled by PyTensor: values, and gradients with respect to all inputs.

    ``values(*free, tokens, ratio)`` returns ``[change, slope]``;
    ``gradients(*free, tokens, ratio)`` returns the derivatives of ``sum(change)``
    with respect to each unconstrained parameter, in the order of
    ``law.parameters``, then to the ratio. All inputs are matrices that broadcast.
    """

    values: Callable[..., list[Floats]]
    gradients: Callable[..., list[Floats]]


def compile_law(law: Law, reference: Reference, mode: str) -> CompiledLaw:
    """Compile ``law`` with PyTensor in the given compilation mode."""
    import pytensor.tensor as pt
    from pytensor.compile.maker import function
    from pytensor.gradient import grad

    def column(name: str) -> Any:
        # Any axis may have length one, whatever the shape of the others.
        return pt.tensor(name, shape=(None, 1), dtype="float64")

    free = [column(p.name) for p in law.parameters]
    tokens = pt.tensor("tokens", shape=(1, None), dtype="float64")
    ratio = pt.tensor("ratio", shape=(1, None), dtype="float64")
    theta = {p.name: p.natural(v, xp=pt) for p, v in zip(law.parameters, free, strict=True)}
    change = law.change(theta, tokens, ratio, reference, xp=pt)
    slope = law.slope(theta, tokens, ratio, reference, xp=pt)
    # A parameter or ratio the change does not depend on has gradient zero, not an error.
    gradients = grad(change.sum(), [*free, ratio], disconnected_inputs="ignore")
    inputs = [*free, tokens, ratio]
    return CompiledLaw(
        values=function(inputs, [change, slope], mode=mode, on_unused_input="ignore"),
        gradients=function(inputs, gradients, mode=mode, on_unused_input="ignore"),
    )


class LawConformance:
    """What every law must do. Subclass as ``class TestX(LawConformance)`` and set ``law``.

    Attributes
    ----------
    law : Law
        The law under test.
    reference : Reference
        Where covariates are centred.
    draws : int
        Parameter draws per test.
    scale : float
        Standard deviation of the draws on the unconstrained scale.
    seed : int
        Seed of the draws.
    pytensor_mode : str
        PyTensor compilation mode; FAST_COMPILE keeps the suite to a few seconds.
    """

    law: ClassVar[Law]
    reference: ClassVar[Reference] = Reference(size=1e9, tokens=5e9, ratio=0.3)
    draws: ClassVar[int] = 24
    scale: ClassVar[float] = 0.7
    seed: ClassVar[int] = 20240717
    pytensor_mode: ClassVar[str] = "FAST_COMPILE"

    #: Ratios with both edges, shape (1, G).
    RATIOS: ClassVar[Floats] = np.array([[0.0, 0.01, 0.125, 0.3, 0.5, 0.75, 0.99, 1.0]])
    #: Ratios away from the edges, shape (1, G): where finite differences are meaningful.
    INTERIOR: ClassVar[Floats] = np.array([[0.05, 0.125, 0.3, 0.5, 0.75, 0.95]])
    #: Tokens as multiples of the reference; the last is far beyond any budget.
    TOKEN_MULTIPLES: ClassVar[tuple[float, ...]] = (0.0, 1e-3, 0.1, 1.0, 10.0, 1e4)

    @cached_property
    def free(self) -> dict[str, Floats]:
        """Unconstrained draws, shape (draws, 1) each."""
        return draw_unconstrained(self.law, self.draws, self.scale, self.seed)

    @cached_property
    def theta(self) -> dict[str, Floats]:
        """The same draws on the natural scale."""
        return to_natural(self.law, self.free)

    @classmethod
    def compiled(cls) -> CompiledLaw:
        """The law compiled once per class: pytest makes a new instance for every test."""
        if "_compiled" not in cls.__dict__:
            cls._compiled = compile_law(cls.law, cls.reference, cls.pytensor_mode)
        return cls._compiled

    _compiled: ClassVar[CompiledLaw]

    def _grid(self, multiples: tuple[float, ...], ratios: Floats) -> tuple[Floats, Floats]:
        """Return tokens and ratios of every pair, shape (1, M * G) each."""
        tokens, ratio = np.meshgrid(
            self.reference.tokens * np.array(multiples), ratios.ravel(), indexing="ij"
        )
        return tokens.reshape(1, -1), ratio.reshape(1, -1)

    # -- metadata ---------------------------------------------------------------------------

    def test_metadata_is_complete(self) -> None:
        """Name, role, title, equation and citation are given."""
        law = self.law
        assert law.role in ("general", "domain"), f"role: got {law.role!r}"
        for field in ("name", "title", "equation", "citation"):
            assert getattr(law, field).strip(), f"{field} is empty"

    def test_parameters_are_described(self) -> None:
        """Names are unique identifiers, supports are known, every field is filled."""
        names = [p.name for p in self.law.parameters]
        assert names, "a law needs parameters"
        assert len(set(names)) == len(names), f"parameter names repeat: {names}"
        for p in self.law.parameters:
            assert p.name.isidentifier(), f"{p.name!r} is not an identifier"
            assert p.support in SUPPORTS, f"{p.name}: support {p.support!r}"
            assert p.symbol and p.unit and p.meaning, f"{p.name}: symbol, unit or meaning empty"

    # -- values -----------------------------------------------------------------------------

    def test_shapes_broadcast(self) -> None:
        """Columns of draws against a row of ratios give (D, G), equal to one-by-one calls."""
        tokens = 0.7 * self.reference.tokens
        for method in (self.law.change, self.law.slope):
            table = np.asarray(method(self.theta, tokens, self.RATIOS, self.reference))
            assert table.shape == (self.draws, self.RATIOS.size), f"{method}: {table.shape}"
            for i, j in ((0, 0), (self.draws - 1, self.RATIOS.size - 1), (self.draws // 2, 3)):
                one = {name: value[i, 0] for name, value in self.theta.items()}
                alone = method(one, tokens, self.RATIOS[0, j], self.reference)
                assert np.ndim(alone) == 0, f"{method}: scalars in must give a scalar out"
                np.testing.assert_allclose(table[i, j], alone, rtol=1e-12)
            tokens_row = np.geomspace(0.01, 10.0, 5)[None, :] * self.reference.tokens
            assert np.shape(method(self.theta, tokens_row, 0.4, self.reference)) == (self.draws, 5)

    def test_finite_everywhere(self) -> None:
        """Change and slope are finite at every ratio in [0, 1], no tokens and far too many."""
        tokens, ratio = self._grid(self.TOKEN_MULTIPLES, self.RATIOS)
        for method in (self.law.change, self.law.slope):
            value = np.asarray(method(self.theta, tokens, ratio, self.reference))
            bad = np.argwhere(~np.isfinite(value))
            assert bad.size == 0, (
                f"{method}: not finite at tokens {tokens[0, bad[0, 1]]:g},"
                f" ratio {ratio[0, bad[0, 1]]:g}"
            )

    def test_both_at_once_are_the_two(self) -> None:
        """``change_and_slope`` gives what ``change`` and ``slope`` give."""
        tokens, ratio = self._grid(self.TOKEN_MULTIPLES, self.RATIOS)
        both = self.law.change_and_slope(self.theta, tokens, ratio, self.reference)
        for method, got in zip((self.law.change, self.law.slope), both, strict=True):
            want = np.asarray(method(self.theta, tokens, ratio, self.reference))
            np.testing.assert_allclose(got, want, rtol=1e-12)

    def test_slope_matches_finite_difference(self) -> None:
        """``slope`` is the derivative of ``change`` with respect to ln tokens."""
        tokens, ratio = self._grid((1e-3, 0.1, 1.0, 10.0, 100.0), self.RATIOS)
        step = 1e-4
        up, down = (
            np.asarray(self.law.change(self.theta, tokens * np.exp(h), ratio, self.reference))
            for h in (step, -step)
        )
        slope = np.asarray(self.law.slope(self.theta, tokens, ratio, self.reference))
        size = np.maximum(np.abs(up), np.abs(slope))
        error = np.abs(slope - (up - down) / (2.0 * step))
        assert np.all(error <= 1e-6 * size + 1e-9), f"slope is off by up to {error.max():g}"

    def test_monotone_in_ratio_is_true(self) -> None:
        """A law that says its change never falls with the ratio keeps its word."""
        if not self.law.monotone_in_ratio:
            return
        ratios = np.linspace(0.0, 1.0, 201)[None, :]
        for multiple in self.TOKEN_MULTIPLES:
            tokens = multiple * self.reference.tokens
            change = np.asarray(self.law.change(self.theta, tokens, ratios, self.reference))
            fall = -np.diff(change, axis=1).min(initial=0.0)
            assert fall <= 1e-12 * np.abs(change).max(initial=1.0), f"falls by {fall:g}"

    def test_domain_law_starts_at_base_and_never_rises(self) -> None:
        """An anchored domain law has change 0 at T = 0 and at most 0 afterwards."""
        if self.law.role != "domain" or not self.law.anchored:
            return
        tokens, ratio = self._grid(self.TOKEN_MULTIPLES, self.RATIOS)
        change = np.asarray(self.law.change(self.theta, tokens, ratio, self.reference))
        start = np.asarray(self.law.change(self.theta, 0.0, self.RATIOS, self.reference))
        np.testing.assert_array_equal(start, np.zeros_like(start))
        assert np.all(change <= 0.0), f"domain loss rises by {change.max():g}"

    # -- closed form ------------------------------------------------------------------------

    def test_turning_point_matches_root_finder(self) -> None:
        """The closed form, where there is one, is a root of ``slope`` and a peak."""
        closed = self.law.turning_point(self.theta, self.INTERIOR, self.reference)
        if closed is None:
            return
        closed = np.asarray(closed)
        assert closed.shape == (self.draws, self.INTERIOR.size), f"shape {closed.shape}"
        assert np.all(closed >= 0.0), "a turning point is a number of tokens"
        log_t0 = np.log(np.clip(closed, 1e-280, 1e280))
        checked = 0
        # Beyond e^+-25 of the reference the slope itself may vanish in rounding.
        within = np.abs(log_t0 - np.log(self.reference.tokens)) < 25.0
        for i, j in np.argwhere(within):
            one = {name: value[i, 0] for name, value in self.theta.items()}
            ratio, x0 = self.INTERIOR[0, j], log_t0[i, j]

            def slope(x: float, one: dict[str, float] = one, ratio: float = ratio) -> float:
                return float(self.law.slope(one, np.exp(x), ratio, self.reference))

            # The bracket is lopsided so that bisection cannot hit the closed form by symmetry.
            low, high = x0 - 1.3, x0 + 0.9
            assert slope(low) > 0.0 > slope(high), f"not a peak at T0 = {closed[i, j]:g}"
            root = brentq(slope, low, high, xtol=1e-12, rtol=1e-14)
            np.testing.assert_allclose(x0, root, rtol=0.0, atol=1e-7)
            checked += 1
        assert checked > 0, "no turning point within reach: change reference or scale"

    # -- PyTensor ---------------------------------------------------------------------------

    def test_pytensor_equals_numpy(self) -> None:
        """The compiled law gives numpy's numbers, edges included."""
        tokens, ratio = self._grid(self.TOKEN_MULTIPLES, self.RATIOS)
        compiled = self.compiled().values(*self.free.values(), tokens, ratio)
        for method, got in zip((self.law.change, self.law.slope), compiled, strict=True):
            want = np.asarray(method(self.theta, tokens, ratio, self.reference))
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)

    def test_gradients_are_finite_everywhere(self) -> None:
        """No nan or infinite gradient, edges included: one would end a sampler's trajectory."""
        tokens, ratio = self._grid(self.TOKEN_MULTIPLES, self.RATIOS)
        gradients = self.compiled().gradients(*self.free.values(), tokens, ratio)
        for name, value in zip([*self.free, "ratio"], gradients, strict=True):
            assert np.all(np.isfinite(value)), f"gradient with respect to {name} is not finite"

    def test_gradients_match_finite_differences(self) -> None:
        """PyTensor's gradients of the change agree with central differences of numpy."""
        tokens, ratio = self._grid((0.01, 1.0, 10.0), self.INTERIOR)
        gradients = self.compiled().gradients(*self.free.values(), tokens, ratio)
        step = 1e-5

        def change(free: dict[str, Floats], ratio: Floats) -> Floats:
            theta = to_natural(self.law, free)
            return np.asarray(self.law.change(theta, tokens, ratio, self.reference))

        def check(name: str, got: Floats, difference: Floats, axis: int) -> None:
            want = difference.sum(axis=axis, keepdims=True) / (2.0 * step)
            size = np.abs(difference).sum(axis=axis, keepdims=True) / (2.0 * step)
            error = np.abs(got - want)
            assert np.all(error <= 1e-5 * size + 1e-6), f"{name}: off by up to {error.max():g}"

        for name, got in zip(self.free, gradients[:-1], strict=True):
            up, down = (
                change({**self.free, name: self.free[name] + h}, ratio) for h in (step, -step)
            )
            check(name, got, up - down, axis=1)
        check(
            "ratio",
            gradients[-1],
            change(self.free, ratio + step) - change(self.free, ratio - step),
            axis=0,
        )
