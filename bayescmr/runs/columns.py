"""Names, kinds and layouts of run-table columns: the vocabulary, no data."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from bayescmr.runs.problems import Problems

Role = Literal["general", "domain"]
Form = Literal["long", "wide"]
#: What a cell must be: decides how it is parsed and which range it must lie in.
Kind = Literal[
    "label", "role", "status", "size", "tokens", "ratio", "loss", "change", "se", "seed", "lr",
    "corpus",
]  # fmt: skip
Quantity = Literal["loss", "change", "base", "se"]

ROLES: tuple[Role, ...] = ("general", "domain")
STATUS_USED = ("ok", "done")
STATUS_OUT = ("diverged", "failed")

#: Columns of the canonical long frame, in order; optional ones follow when present.
CORE = (
    "run", "size", "domain", "ratio", "tokens", "eval_set", "role", "loss", "base", "change", "se",
)  # fmt: skip
OPTIONAL = ("seed", "lr", "schedule", "loss_mode", "unique_domain_tokens", "status", "source")
KEYS = ("run", "size", "domain", "ratio", "tokens")
LONG_ONLY = ("eval_set", "role", "loss", "change", "base", "se")

_KINDS: dict[str, Kind] = {
    "size": "size",
    "ratio": "ratio",
    "tokens": "tokens",
    "role": "role",
    "status": "status",
    "loss": "loss",
    "base": "loss",
    "change": "change",
    "se": "se",
    "seed": "seed",
    "lr": "lr",
    "unique_domain_tokens": "corpus",
}
_WIDE = re.compile(r"(loss|change|base_loss|se)_(?:(domain)|general(?::(.+))?)")
_WIDE_EXAMPLES = (
    "loss_general", "loss_domain", "change_general", "change_domain", "se_general", "se_domain",
    "base_loss_general", "base_loss_domain",
)  # fmt: skip


#: Names of columns that a message lists; a table of some other kind may have thousands.
_SHOWN = 20


@dataclass(frozen=True)
class Layout:
    """How the columns of one table are to be read.

    Parameters
    ----------
    form : {"long", "wide"}
        One row per measured loss, or one row per checkpoint.
    kinds : dict of str to Kind
        Every column of the file, in its order.
    measures : dict
        Wide form only: (evaluation set, role) to the columns of its loss, change, base and se.
    """

    form: Form
    kinds: dict[str, Kind]
    measures: dict[tuple[str, Role], dict[Quantity, str]] = field(default_factory=dict)

    def column(self, quantity: Quantity, eval_set: str, role: Role) -> str:
        """Name of the column of the file that holds, or would hold, a quantity."""
        if self.form == "long":
            return quantity
        stem = "base_loss" if quantity == "base" else quantity
        plain = eval_set == role
        return f"{stem}_{role}" if plain else f"{stem}_{role}:{eval_set}"


def measure_of(name: str) -> tuple[Quantity, str, Role] | None:
    """Return quantity, evaluation set and role of a wide column; None for any other column."""
    match = _WIDE.fullmatch(name)
    if match is None:
        return None
    quantities: dict[str, Quantity] = {"base_loss": "base"}
    for plain in ("loss", "change", "se"):
        quantities[plain] = plain
    quantity = quantities[match[1]]
    if match[2]:
        return quantity, "domain", "domain"
    return quantity, (match[3] or "general").strip(), "general"


def _suggest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name.lower().replace(" ", "_"), known, n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'? " if close else ""


def layout_of(names: Sequence[str], problems: Problems) -> Layout:
    """Read the header.

    Parameters
    ----------
    names : sequence of str
        Column names, stripped, in the order of the file.
    problems : Problems
        Receives what is wrong with the header.

    Returns
    -------
    Layout
        Form, kinds and measures.

    Raises
    ------
    RunTableError
        If the header cannot be used, with all that is wrong with it.
    """
    for name, count in Counter(names).items():
        if name == "":
            problems.add(
                expected="a name for every column",
                got=f"column {list(names).index('') + 1} of the header without a name",
                fix="name it or drop it (pandas writes its index so: use index=False)",
            )
        elif count > 1:
            problems.add(
                column=name,
                got=f"{count} columns of that name",
                expected="one",
                fix="rename or drop the others",
            )
    wide = {name: m for name in names if (m := measure_of(name)) is not None}
    long = [name for name in names if name in LONG_ONLY]
    if wide and long:
        problems.add(
            got=f"columns of both forms: {_listed(long)} (long) and {_listed(list(wide))} (wide)",
            expected="one form",
            fix="use either eval_set, role, loss, or loss_general, loss_domain",
        )
        problems.raise_if_any()
    form: Form = "wide" if wide else "long"
    required = list(KEYS)
    if form == "long" and long:
        required += ["eval_set", "role"]
    extra = LONG_ONLY if form == "long" else ()
    known = (*KEYS, *OPTIONAL, *extra)
    _missing(names, required, form, problems, bool(long or wide))
    for name in dict.fromkeys(names):
        if name and name not in known and name not in wide:
            pool = (*known, *_WIDE_EXAMPLES) if not long else known
            hint = _suggest(name, [k for k in pool if k not in names])
            problems.add(
                column=name,
                got="an unknown column",
                expected=f"one of {', '.join(known)}"
                + ("" if long else ", loss_general, loss_general:<name>, loss_domain, ..."),
                fix=hint + "rename it, or drop it if it is not part of the run table",
            )
    measures = _measures(wide, problems)
    problems.raise_if_any()
    kinds: dict[str, Kind] = {}
    for name in names:
        if name in wide:
            quantity = wide[name][0]
            kinds[name] = "loss" if quantity == "base" else quantity
        else:
            kinds[name] = _KINDS.get(name, "label")
    return Layout(form, kinds, measures)


def _listed(names: Sequence[str]) -> str:
    shown = [name if len(name) <= 60 else name[:57] + "..." for name in names[:_SHOWN]]
    more = [f"and {len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    return ", ".join([*shown, *more])


def _missing(
    names: Sequence[str], required: Sequence[str], form: Form, problems: Problems, measured: bool
) -> None:
    absent = [name for name in required if name not in names]
    if form == "long" and measured and not {"loss", "change"} & set(names):
        absent.append("loss")
    if not measured:
        absent.append("loss_general")
    if not absent:
        return
    hints = []
    for name in absent:
        close = difflib.get_close_matches(
            name, [n for n in names if n and n not in required], n=1, cutoff=0.5
        )
        if close:
            hints.append(f"is '{close[0]}' meant to be '{name}'?")
    example = (
        "the long form has run, size, domain, ratio, tokens, eval_set, role, loss; "
        "the wide form run, size, domain, ratio, tokens, loss_general[, loss_domain]"
    )
    problems.add(
        got=f"columns {_listed(names) or '(none)'}",
        expected=f"also {_listed(absent)}",
        fix="; ".join([*hints, example]),
    )


def _measures(
    wide: dict[str, tuple[Quantity, str, Role]], problems: Problems
) -> dict[tuple[str, Role], dict[Quantity, str]]:
    measures: dict[tuple[str, Role], dict[Quantity, str]] = {}
    for name, (quantity, eval_set, role) in wide.items():
        columns = measures.setdefault((eval_set, role), {})
        if quantity in columns:
            problems.add(
                column=name,
                got=f"a second column for evaluation set '{eval_set}' beside '{columns[quantity]}'",
                expected="one",
                fix="drop or rename one of them",
            )
        columns[quantity] = name
    for (eval_set, role), columns in measures.items():
        if not {"loss", "change"} & columns.keys():
            suffix = role if eval_set == role else f"{role}:{eval_set}"
            problems.add(
                column=next(iter(columns.values())),
                got="no loss beside it",
                expected=f"a column loss_{suffix} (or change_{suffix})",
                fix="add that column or drop this one",
            )
    roles = Counter(eval_set for eval_set, _ in measures)
    for eval_set, count in roles.items():
        if count > 1:
            problems.add(
                got=f"evaluation set '{eval_set}' with two roles, general and domain",
                expected="one role per evaluation set",
                fix=f"give loss_general:{eval_set} another name",
            )
    if measures and not any(role == "general" for _, role in measures):
        problems.add(
            got=f"columns {_listed(list(wide))}: no general loss at all",
            expected="a column loss_general (or change_general)",
            fix="measure the general validation loss: without it there is no forgetting to model",
        )
    return measures
