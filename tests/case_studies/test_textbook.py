"""The textbook model of the benchmark is ours, with the run effects left in."""

from __future__ import annotations

import numpy as np
import pytest
from pytensor.compile.mode import Mode

import bayescmr as bc
from bayescmr.model.coordinates import Coordinates
from bayescmr.model.data import block_data
from bayescmr.model.density import nutpie_model
from bayescmr.model.spec import NOISE
from bayescmr.model.start import log_density

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("benchmarks")]


def test_integrated_over_run_effects_the_textbook_density_is_ours(known):
    """Given all else it is Gaussian in the run effects, so Laplace's integral is exact."""
    import tables
    import textbook

    rng = np.random.default_rng(4)
    frame = tables.simulate(known, 60, seed=3).frame
    wide = frame[["run", "size", "domain", "ratio", "tokens"]].assign(
        change_general=frame["change"], se_general=rng.uniform(0.0, 0.003, len(frame))
    )
    # Runs without replay, whose effects are wider.
    wide.loc[wide["ratio"] == wide["ratio"].max(), "ratio"] = 1.0
    book = textbook.textbook(bc.RunTable.from_frame(wide))
    block, hierarchy, model = book.block, book.hierarchy, book.model
    effects = [model[name] for name in ("u_raw", "v_raw")]
    others = [variable for variable in model.free_RVs if variable not in effects]
    # Interpreted: compiling takes a minute, the evaluations do not.
    mode = Mode("py", "fast_compile")
    whole, prior = model.compile_logp(mode=mode), model.compile_logp(others, mode=mode)
    gradient = model.compile_dlogp(effects, mode=mode)

    data = block_data(book.runs.select("general"), hierarchy)
    coordinates = Coordinates.non_centred(block, data.groups)
    fused = log_density(nutpie_model(coordinates, {**data.arrays(), **coordinates.arrays()}))
    count = len(data.ratio)

    def at(values):
        return dict(zip(("u_raw", "v_raw"), values.reshape(2, count), strict=True))

    for scale in (0.0, 0.3, 1.0):
        raw, shift, noise = (
            scale * rng.standard_normal(shape)
            for shape in (
                (len(block.parameters), len(hierarchy.terms)),
                block.effect_median.shape,
                len(NOISE),
            )
        )
        noise[NOISE.index("measurement_share")] = 40.0  # no drift
        point = {
            "raw": raw,
            "spread": block.effect_spread * shift,
            "noise": block.noise_mean + block.noise_scale * noise,
        }
        slope = gradient({**point, **at(np.zeros(2 * count))})
        units = np.eye(2 * count)
        precision = slope - np.array([gradient({**point, **at(unit)}) for unit in units])
        top = {**point, **at(np.linalg.solve(precision, slope))}
        theirs = (
            whole(top)
            + count * np.log(2 * np.pi)
            - 0.5 * np.linalg.slogdet(precision)[1]
            - prior(top)
        )

        sd = np.exp((np.log(block.effect_median) + point["spread"]) @ hierarchy.factor_columns)
        sd[:, :2] = np.sqrt(block.variances[:, :2])
        anchors = ((sd * raw) @ data.groups.rows.T)[..., None]
        z = np.linalg.solve(coordinates._factor(point["spread"]), anchors)
        own = np.concatenate([z.ravel(), shift.ravel(), noise])
        # Non-centred coordinates are standard normal a priori.
        ours = fused(own)[0] + 0.5 * own @ own + 0.5 * len(own) * np.log(2 * np.pi)
        assert ours == pytest.approx(theirs, rel=1e-9)
