"""What a check that costs fits is about, and its results as a file that a report can take."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import pandas as pd

from bayescmr.atomic import write_text
from bayescmr.cmr import Estimand, Target
from bayescmr.errors import CheckError, TargetError
from bayescmr.posterior.answers import Answers
from bayescmr.posterior.fingerprint import draws_fingerprint, models_of
from bayescmr.posterior.intervals import check_prob
from bayescmr.values import is_number, plain

#: Raised by one whenever the layout of these files changes.
SCHEMA = 1
Study = Literal["sensitivity", "influence"]


@dataclass(frozen=True)
class About:
    """The draws and the question that a result belongs to, and the answer of these draws.

    Parameters
    ----------
    model : str
        Name.
    model_fingerprint, runs_fingerprint, draws_fingerprint : str
        SHA-256 of the model, of the run table and of the draws.
    target : Target
        The question.
    risk : float
        Of the decision.
    estimand : {"tolerance", "turning_point", "gu"}
        Which CMR.
    prob : float
        Of equal-tailed intervals.
    median, sd, decision : float
        Of the CMR, and the ratio that is safe at the risk, as these draws have them.
    bayescmr : str
        Version of the package.
    """

    model: str
    model_fingerprint: str
    runs_fingerprint: str
    draws_fingerprint: str
    target: Target
    risk: float
    estimand: Estimand
    prob: float
    median: float
    sd: float
    decision: float
    bayescmr: str = field(default="", compare=False)

    @classmethod
    def of(
        cls, posterior: Answers, target: Target, risk: float, estimand: Estimand, prob: float
    ) -> About:
        """Describe a question to a posterior.

        Raises
        ------
        TargetError
            The question cannot be asked of this posterior.
        """
        risk, prob = check_prob(risk, "risk", "0.1"), check_prob(prob)
        cmr = posterior.cmr(target)
        models = models_of(posterior)
        return cls(
            model="+".join(models),
            model_fingerprint="+".join(fit.model.fingerprint for fit in models.values()),
            runs_fingerprint=posterior.provenance.fingerprint,
            draws_fingerprint=draws_fingerprint(posterior),
            target=target,
            risk=risk,
            estimand=estimand,
            prob=prob,
            median=cmr.summary(estimand, prob).median,
            sd=float(cmr.draws[estimand].std(ddof=1)),
            decision=cmr.decide(risk, estimand),
            bayescmr=version("bayescmr"),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {f.name: getattr(self, f.name) for f in fields(self)} | {
            "target": self.target.to_dict()
        }

    def differences(self, other: About) -> Iterator[str]:
        """Yield a phrase for what makes this no result of another's question: got, expected."""
        if self.model_fingerprint != other.model_fingerprint:
            yield f"a study of the model {self.model}, expected {other.model} with its priors"
        elif self.runs_fingerprint != other.runs_fingerprint:
            yield "a study of another run table, expected that of this posterior"
        elif self.draws_fingerprint != other.draws_fingerprint:
            yield "a study of other draws, expected those of this posterior file"
        mine, theirs = self._question(), other._question()
        for name in dict.fromkeys([*mine, *theirs]):
            if mine.get(name) != theirs.get(name):
                yield f"{name} {_words(mine.get(name))}, expected {_words(theirs.get(name))}"

    def _question(self) -> dict[str, Any]:
        asked = {"risk": self.risk, "estimand": self.estimand, "prob": self.prob}
        return self.target.to_dict() | asked


@dataclass(frozen=True)
class Shifts:
    """What an answer would be otherwise, and whether that is far from what it is.

    Parameters
    ----------
    about : About
        Question and answer.
    table : DataFrame
        One row for each other answer, with median_shift, decision_shift and converged.
    """

    about: About
    table: pd.DataFrame

    #: Posterior sds of the CMR by which an answer may move.
    limit: ClassVar[float]

    @property
    def shifts(self) -> pd.Series:
        """Larger shift of median and decision, in posterior sds of the CMR, of every row."""
        moved = self.table[["median_shift", "decision_shift"]].abs().max(axis=1)
        # A CMR that is the same in every draw is moved not at all, or infinitely far.
        return moved / self.about.sd if self.about.sd > 0 else moved.where(moved == 0, math.inf)

    @property
    def largest_shift(self) -> float:
        """Largest of :attr:`shifts`."""
        return float(self.shifts.max())

    @property
    def not_converged(self) -> int:
        """Number of other answers whose fit has not converged."""
        return int((~self.table["converged"]).sum())

    @property
    def passed(self) -> bool:
        """True if no answer has moved beyond the limit, and all fits have converged."""
        return self.largest_shift <= self.limit and not self.not_converged


def write_study(path: Path, result: Mapping[str, Any]) -> None:
    """Write what :func:`study_dict` made, as JSON; the file appears whole or not at all.

    Raises
    ------
    CheckError
        It cannot be written.
    """
    text = json.dumps(plain(result), indent=1, allow_nan=False, ensure_ascii=False)
    try:
        write_text(path, f"{text}\n")
    except OSError as error:
        raise CheckError(f"{path}: cannot write: {error.strerror or error}") from None


def study_dict(study: Study, about: About, result: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result with what it is about, as plain data."""
    return {"bayescmr_study": study, "schema": SCHEMA, **about.to_dict(), **result}


def read_study(path: Path, study: Study, key: str) -> tuple[About, list[dict[str, Any]]]:
    """Read what :func:`write_study` wrote: what it is about, and the rows under ``key``.

    Raises
    ------
    CheckError
        The file cannot be read, is no such result, or is damaged.
    """
    wanted = f"what `bayescmr check {study} --out` writes"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckError(f"{path}: cannot read: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        raise CheckError(f"{path}: got no JSON, expected {wanted}") from None
    if not isinstance(found, dict) or found.get("bayescmr_study") != study:
        raise CheckError(f"{path}: got another file, expected {wanted}")
    if found.get("schema") != SCHEMA:
        raise CheckError(
            f"{path}: got schema {found.get('schema')!r}, expected {SCHEMA}; run the check again"
        )
    try:
        return _about(found), _records(found[key])
    except (KeyError, TypeError, ValueError, TargetError) as error:
        first = str(error).splitlines()[0] if str(error) else ""
        raise CheckError(
            f"{path}: damaged ({type(error).__name__}: {first}); run the check again"
        ) from None


def rows_of(
    path: Path, records: Sequence[Mapping[str, Any]], kinds: Mapping[str, type]
) -> pd.DataFrame:
    """Make a table of the rows of a file, every entry of the kind that it should be.

    Raises
    ------
    CheckError
        An entry is missing or of another kind.
    """
    rows = []
    for i, record in enumerate(records, 1):
        row = {}
        for name, kind in kinds.items():
            value = record.get(name)
            # JSON has no NaN: what could not be computed is null.
            if kind is float and value is None and name in record:
                value = float("nan")
            elif kind is float and is_number(value):
                value = float(value)
            elif not isinstance(value, kind):
                raise CheckError(
                    f"{path}: row {i}: {name}: got {value!r}, expected {_KINDS[kind]}; run the"
                    " check again"
                )
            row[name] = value
        rows.append(row)
    return pd.DataFrame(rows, columns=list(kinds))


_KINDS = {float: "a number", str: "text", bool: "true or false"}


def _about(found: Mapping[str, Any]) -> About:
    entries = {f.name: found[f.name] for f in fields(About)}
    for name in ("risk", "prob", "median", "sd", "decision"):
        if not is_number(entries[name]):
            raise ValueError(f"{name}: got {entries[name]!r}, expected a number")
    if entries["estimand"] not in get_args(Estimand):
        raise ValueError(f"estimand: got {entries['estimand']!r}")
    return About(**entries | {"target": Target(**entries["target"])})


def _records(rows: Any) -> list[dict[str, Any]]:
    if rows is None:
        return []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise TypeError("expected a list of rows")
    return rows


def _words(value: Any) -> str:
    """Entry of a question as a phrase; one number for each set where there are several."""
    if isinstance(value, Mapping):
        return " ".join(f"{name}={number:.15g}" for name, number in value.items())
    return f"{value:.15g}" if isinstance(value, float) else str(value)
