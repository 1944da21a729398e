"""How a campaign stands: for a screen, in one line per round, and as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table

from bayescmr.cli.output import new_table
from bayescmr.runs.problems import counted
from bayescmr.values import shorten
from bayescmr.words import count, percent, percent_down, percent_up, short

if TYPE_CHECKING:
    from bayescmr.campaign.campaign import Campaign, Snapshot
    from bayescmr.campaign.config import Config
    from bayescmr.campaign.records import Attempt, RoundRow

#: Attempts that went wrong, of which the last are shown.
_BAD = ("failed", "lost", "diverged")
_SHOWN = 3
#: Of the last words of a failure.
_WORDS = 300


@dataclass(frozen=True)
class Standing:
    """A campaign at one moment.

    Parameters
    ----------
    config : Config
        What it was told.
    snapshot : Snapshot
        How it stands.
    tokens : mapping from run to float
        CPT tokens at which each run was last measured.
    """

    config: Config
    snapshot: Snapshot
    tokens: Mapping[str, float]

    @classmethod
    def of(cls, campaign: Campaign, snapshot: Snapshot | None = None) -> Standing:
        """Look at a campaign."""
        table = campaign.runs()
        most = table.groupby("run")["tokens"].max() if len(table) else table["tokens"]
        tokens = {str(run): float(value) for run, value in most.items()}
        return cls(campaign.config, snapshot or campaign.snapshot(), tokens)

    @property
    def failures(self) -> list[Attempt]:
        """Attempts that failed, were lost or diverged."""
        return [a for a in self.snapshot.attempts if a.state in _BAD]

    @property
    def under_way(self) -> list[Attempt]:
        """Attempts that are not settled."""
        return [a for a in self.snapshot.attempts if a.is_open]


def screen_of(standing: Standing) -> RenderableType:
    """Everything that a person wants to know, at 80 columns."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(no_wrap=True, style="bold")
    facts.add_column()
    for label, words, style in _facts(standing):
        facts.add_row(label, words, style=style)
    parts: list[RenderableType] = [facts]
    if standing.under_way:
        parts += ["", _under_way(standing)]
    failures = standing.failures
    if failures:
        bad = counted(len(failures), "attempt", "attempts")
        parts += ["", f"{bad} went wrong; the last:"]
        # Indented where it wraps, too.
        parts += [Padding(failure_line(one), (0, 0, 0, 2)) for one in failures[-_SHOWN:]]
    return Group(*parts)


def _facts(standing: Standing) -> Iterator[tuple[str, str, str]]:
    config, snapshot = standing.config, standing.snapshot
    target, fit = config.target, snapshot.last_fit
    because = f": {snapshot.reason}" if snapshot.reason and snapshot.state == "paused" else ""
    yield "campaign", f"{config.name}, {snapshot.state}{because}", ""
    yield (
        "question",
        f"largest share of {target.domain} at {count(target.size)} parameters and"
        f" {count(target.tokens)} tokens; {config.estimand.replace('_', ' ')} CMR, tolerance"
        f" {target.to_dict()['tolerance']} {target.tolerance_unit}",
        "",
    )
    if fit is None:
        yield "answer", "none before the first fit", "dim"
    else:
        wanted = config.stop.width
        aim = "" if wanted is None else f"; wanted {100 * wanted:.3g}"
        yield "answer", f"{answer_words(fit)}{aim}", ""
        if snapshot.certified and (span := fit.decision["stop"].get("span")):
            # Outwards: what is promised holds all of it.
            lower, upper = percent_down(span[0]), percent_up(span[1])
            prob = fit.posterior["cmr"]["prob"]
            yield (
                "certified",
                f"{lower} to {upper} %, which holds the {prob:.0%} intervals of this fit and of"
                " those that its checks made without some runs",
                "",
            )
        yield "decision", _decision(snapshot, fit), "" if snapshot.certified else "yellow"
        if not fit.posterior["converged"]:
            problems = "; ".join(fit.posterior["problems"])
            yield "NOT CONVERGED", f"do not rely on these numbers: {problems}", "bold red"
    budget = snapshot.budget
    share = budget.spent / budget.total if budget.total else 0.0
    aside = f", {budget.reserved:.3g} set aside for attempts under way" if budget.reserved else ""
    yield "FLOPs", f"{budget.spent:.3g} of {budget.total:.3g} spent ({share:.0%}){aside}", ""
    if fit is not None:
        yield "forecast", _forecast(fit, config.stop.width), ""
    done = sum(a.state in ("done", "stopped") for a in snapshot.attempts)
    fits = sum(bool(row.posterior) for row in snapshot.rounds)
    made = counted(fits, "fit", "fits"), counted(len(standing.tokens), "run", "runs")
    yield "so far", f"{', '.join(made)}, {counted(done, 'attempt', 'attempts')} done", ""
    if snapshot.state == "stopped":
        yield "ended", _end(snapshot), "" if snapshot.certified else "yellow"
        return
    if fit is not None and fit.decision["held_back"]:
        yield "held back", "; ".join(fit.decision["held_back"]), ""
    last = next((row for row in reversed(snapshot.rounds) if row.decision["because"]), None)
    if last is not None:
        label, *sentences = chosen_words(last)
        for i, words in enumerate(sentences):
            yield label if i == 0 else "", words, ""


def answer_words(fit: RoundRow) -> str:
    """The interval of a fit, with its probability, kind and width."""
    cmr = fit.posterior["cmr"]
    return (
        f"median {percent(cmr['median'])} %, {cmr['prob']:.0%} interval ({cmr['kind']})"
        f" {percent(cmr['lower'])} to {percent(cmr['upper'])} %,"
        f" {100 * (cmr['upper'] - cmr['lower']):.3g} points wide"
    )


def _decision(snapshot: Snapshot, fit: RoundRow) -> str:
    decision = fit.decision
    words = f"{percent_down(decision['ratio'])} % at {100 * decision['risk']:g} % risk"
    return f"{words}; {'certified' if snapshot.certified else 'not certified'}"


def _forecast(fit: RoundRow, width: float | None) -> str:
    if width is None:
        return "none, for no width was asked for"
    state = fit.decision["state"]
    wanted = f"a width of {100 * width:.3g} points"
    if fit.decision["held_back"]:
        return f"none: {wanted} is reached, and something else is lacking"
    if fit.forecast is not None:
        return f"{fit.forecast:.3g} FLOPs more to {wanted}"
    if state["forecast"] is None:
        return f"none to {wanted} yet: the CMR is not nearly linear in losses"
    reach = state["reachable"]
    ends = "" if reach is None else f"; {100 * reach:.3g} points can be reached"
    return f"no runs of this space lead to {wanted}{ends}"


def _end(snapshot: Snapshot) -> str:
    stop = None if snapshot.last_fit is None else snapshot.last_fit.decision["stop"]
    if stop is None or stop["sentence"] != snapshot.reason:
        return f"not certified: {snapshot.reason}"
    caveats = "".join(f" {text.rstrip('.')}." for text in stop["caveats"])
    return f"{stop['reason']}: {stop['sentence']}{caveats}"


def _under_way(standing: Standing) -> Table:
    table = new_table("under way", "size", "ratio, %", "seed", "tokens", "until", "since round")
    for a in standing.under_way:
        state = a.run if a.state == "submitted" else f"{a.run} (waits)"
        tokens = short(standing.tokens.get(a.run, 0.0))
        row = short(a.size), percent(a.ratio), f"{a.seed}", tokens, short(a.until), f"{a.round}"
        table.add_row(state, *row)
    return table


def failure_line(attempt: Attempt) -> str:
    """An attempt that went wrong, and its last words."""
    words = shorten(attempt.reason, _WORDS)
    where = f"{short(attempt.size)}, ratio {attempt.ratio:g}, seed {attempt.seed}"
    return f"{attempt.key} ({where}): {attempt.state}{f': {words}' if words else ''}"


def round_line(row: RoundRow) -> str:
    """One line for a round: what it knew, and what it decided."""
    parts = []
    if row.posterior:
        bad = "" if row.posterior["converged"] else "NOT CONVERGED, "
        parts.append(f"{bad}{answer_words(row)}")
    parts.append(f"{row.spent:.3g} FLOPs spent")
    if row.posterior and row.decision["held_back"]:
        parts.append(f"held back by what is lacking: {'; '.join(row.decision['held_back'])}")
    elif row.forecast is not None:
        parts.append(f"forecast {row.forecast:.3g} more")
    stop = row.decision["stop"]
    if stop is not None:
        parts.append(f"stop ({stop['reason']}): {stop['sentence']}")
    if row.decision["because"]:
        label, *sentences = chosen_words(row)
        parts.append(f"{label}: {' | '.join(sentences)}")
    return f"round {row.number}: {'; '.join(parts)}"


def chosen_words(row: RoundRow) -> list[str]:
    """What a round did, ``chosen`` or ``paused``, then what was chosen or paused, and why."""
    if row.posterior:
        return ["paused" if "pause" in row.decision else "chosen", *row.decision["because"]]
    cost = sum(option.cost for option in row.chosen)
    return ["chosen", f"{len(row.chosen)} first runs, {cost:.3g} FLOPs, before any posterior"]


def status_dict(standing: Standing) -> dict[str, Any]:
    """Return how a campaign stands: the stable format of ``bayescmr campaign status --json``."""
    config, snapshot = standing.config, standing.snapshot
    fit = snapshot.last_fit
    return {
        "name": snapshot.name,
        "state": snapshot.state,
        "reason": snapshot.reason,
        "certified": snapshot.certified,
        "target": config.target.to_dict(),
        "estimand": config.estimand,
        "budget": {**asdict(snapshot.budget), "left": snapshot.budget.left},
        "cmr": None if fit is None else fit.posterior["cmr"],
        "next_run": None if fit is None else fit.posterior["next_run"],
        "converged": None if fit is None else fit.posterior["converged"],
        "decision": None
        if fit is None
        else {
            **{key: fit.decision[key] for key in ("ratio", "risk", "held_back", "findings")},
            # Campaigns that ended before there was a certified range have none.
            "stop": fit.decision["stop"] and {"span": None, **fit.decision["stop"]},
        },
        "forecast": None if fit is None else fit.forecast,
        "fits": snapshot.progress().to_dict(orient="records"),
        "chosen": list(snapshot.rounds[-1].decision["because"]) if snapshot.rounds else [],
        "under_way": [
            {**_attempt(one), "measured": standing.tokens.get(one.run, 0)}
            for one in standing.under_way
        ],
        "failures": [_attempt(one) for one in standing.failures],
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    fields = (
        "key", "run", "round", "size", "domain", "ratio", "seed", "until", "checkpoints", "cost",
        "state", "runner", "beats", "exit_code", "reason",
    )  # fmt: skip
    return {name: getattr(attempt, name) for name in fields}
