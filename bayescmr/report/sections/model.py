"""D. The model: equations, priors and why they are what they are."""

from __future__ import annotations

import pandas as pd

from bayescmr.model.spec import BlockSpec
from bayescmr.report.asked import Asked
from bayescmr.report.document import Block, Equation, Section
from bayescmr.report.sentences import text
from bayescmr.report.tables import Column, table_of
from bayescmr.words import name, short

#: Probability of the prior intervals that are printed.
_PRIOR_PROB = 0.95

HIERARCHY = Equation(
    r"\eta &= \mathrm{mean} + \mathrm{slope} \; \ln \frac{N}{N_\mathrm{ref}}"
    r" + u_\mathrm{size}(N) + u_\mathrm{domain} + u_\mathrm{set} \\"
    r"u_\mathrm{size}(N) &\sim \mathrm{GP}\left( 0, \; \sigma^2_\mathrm{size} \,"
    r" e^{-\vert \ln N - \ln N' \vert / \ell} \right),"
    r" \quad u_\mathrm{domain} \sim \mathcal{N}(0, \sigma^2_\mathrm{domain})",
    "eta = mean + slope ln(N / N_ref) + u_size(N) + u_domain + u_set\n"
    "u_size ~ GP(0, sigma_size^2 exp(-|ln N - ln N'| / l)), u_domain ~ N(0, sigma_domain^2)",
)
NOISE = Equation(
    r"y_{jk} &= f(\theta; N_j, T_{jk}, R_j) + u_j + v_j x_{jk} + d_j(x_{jk}) + \epsilon_{jk},"
    r" \quad x_{jk} = \ln(T_{jk} / T_\mathrm{ref}) \\"
    r"u_j &\sim \mathcal{N}(0, \sigma_u^2), \quad v_j \sim \mathcal{N}(0, \sigma_v^2),"
    r" \quad d_j \sim \mathrm{OU}(\sigma_d, \ell_d),"
    r" \quad \epsilon_{jk} \sim \mathcal{N}(0, \sigma_m^2 + \mathrm{se}_{jk}^2)",
    "y_jk = f(theta; N_j, T_jk, R_j) + u_j + v_j x_jk + d_j(x_jk) + e_jk, x = ln(T / T_ref)\n"
    "u_j ~ N(0, s_u^2), v_j ~ N(0, s_v^2), d_j ~ OU(s_d, l_d), e_jk ~ N(0, s_m^2 + se_jk^2)",
)

_PARAMETERS = (
    Column("name", "parameter"),
    Column("symbol", "symbol"),
    Column("unit", "unit"),
    Column("support", "support"),
    Column("prior", "prior of the mean"),
    Column("lower", "2.5 %", digits=2),
    Column("upper", "97.5 %", digits=2),
    Column("because", "justification"),
)
_EFFECTS = (
    Column("name", "parameter"),
    Column("meaning", "meaning"),
    Column("slope", "sd of slope per e-fold of size", digits=2),
    Column("size", "sd of size effects", digits=2),
    Column("domain", "sd of domain effects", digits=2),
    Column("eval_set", "sd of set effects", digits=2),
)
_NOISE = (
    Column("name", "noise quantity"),
    Column("prior", "prior"),
    Column("lower", "2.5 %", digits=2),
    Column("upper", "97.5 %", digits=2),
    Column("because", "justification"),
)


def model(asked: Asked) -> Section:
    """Equations and priors of every loss of every model."""
    blocks: list[Block] = []
    for i, (title, fit) in enumerate(asked.models.items(), 1):
        blocks.append(text(f"Model {name(title, 60)}: {name(fit.model.description, 1000)}"))
        for role, block in fit.blocks.items():
            spec = block.spec
            tag = f"{role}_{i}" if asked.stacked else role
            blocks += [
                text(f"The {role} loss: {spec.law.title}. {spec.law.citation}."),
                Equation(spec.law.equation_tex, spec.law.equation),
                table_of(
                    f"priors_{tag}",
                    f"Law parameters of the {role} loss and the priors of their population means:"
                    " median, and sd on the sampled scale (value, logarithm or logit).",
                    parameters(spec),
                    _PARAMETERS,
                ),
                table_of(
                    f"effects_{tag}",
                    f"How law parameters of the {role} loss vary over groups, on their sampled"
                    " scale: prior sd of the slope, prior medians of the sds of effects.",
                    parameters(spec),
                    _EFFECTS,
                ),
                table_of(
                    f"noise_{tag}",
                    f"Noise of the {role} loss, nats/token, and its priors.",
                    noise(spec),
                    _NOISE,
                ),
            ]
    reference = next(iter(asked.models.values())).general.hierarchy.reference
    blocks += [
        text(
            "Every parameter, on its sampled scale, varies over sizes and domains; groups share"
            " what they have in common (partial pooling), and a size or domain that was never"
            " probed draws the part of its effect that its neighbours do not tell:"
        ),
        HIERARCHY,
        text(
            f"The reference point is {short(reference.size)} parameters,"
            f" {short(reference.tokens)} tokens and a ratio of {reference.ratio:.3g}. Checkpoints"
            " of one run are not independent. Each run j has an offset, a drift in ln tokens and"
            " a smooth wander, all integrated out exactly:"
        ),
        NOISE,
        text(
            "Parameterisation: each effect is as centred as its data deserve; chains move in an"
            " affine frame that they learn together in warm-up. Nothing of this changes the model."
        ),
    ]
    return Section("D", "Model", tuple(blocks))


def parameters(spec: BlockSpec) -> pd.DataFrame:
    """One row per law parameter."""
    rows = []
    for law, own in zip(spec.law.parameters, spec.parameters, strict=True):
        lower, upper = own.prior.interval(_PRIOR_PROB)
        rows.append(
            {
                "name": law.name,
                "symbol": law.symbol,
                "unit": law.unit,
                "support": law.support,
                "meaning": law.meaning,
                "prior": str(own.prior),
                "lower": lower,
                "upper": upper,
                "slope": own.size_slope,
                **own.effects,
                "because": own.because,
            }
        )
    return pd.DataFrame(rows)


def noise(spec: BlockSpec) -> pd.DataFrame:
    """One row per noise quantity."""
    rows = []
    for quantity, prior in spec.noise.items():
        lower, upper = prior.interval(_PRIOR_PROB)
        rows.append(
            {
                "name": quantity,
                "prior": str(prior),
                "lower": lower,
                "upper": upper,
                "because": spec.noise_because[quantity],
            }
        )
    return pd.DataFrame(rows)
