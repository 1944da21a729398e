"""Tables of a store of campaigns, the same on SQLite and PostgreSQL.

Names have a prefix, so that a PostgreSQL database may be shared with other programs. FLOPs are
floats, tokens whole numbers; times are text, for people, and never compared.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Named,
    String,
    Table,
    Text,
    TypedColumns,
    UniqueConstraint,
)

from bayescmr.campaign.records import OPEN

#: Newest revision in ``migrations/versions``: a test holds the two to each other.
HEAD = "0001"
VERSION_TABLE = "bayescmr_version"

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows of its own accord only where the key is INTEGER.
_Id = BigInteger().with_variant(Integer, "sqlite")
_Json = JSON(none_as_null=True)


class _Campaigns(TypedColumns):
    id: Named[int] = Column(_Id, primary_key=True)
    name: Named[str] = Column(String, unique=True)
    config: Named[Any] = Column(_Json, nullable=False)
    budget: Named[float]
    state: Named[str]
    reason: Named[str] = Column(Text)
    created: Named[str]
    # Number and hash of the last event: a ledger that was cut short no longer ends with it.
    events: Named[int] = Column(BigInteger)
    head: Named[str]


campaigns = Table("bayescmr_campaigns", metadata, _Campaigns)


class _Leases(TypedColumns):
    campaign: Named[int] = Column(_Id, ForeignKey(campaigns.c.id), primary_key=True)
    # Grows with every holder: what an earlier one writes is refused.
    token: Named[int] = Column(BigInteger)
    holder: Named[str | None]
    beats: Named[int] = Column(BigInteger)


leases = Table("bayescmr_leases", metadata, _Leases)


class _Rounds(TypedColumns):
    id: Named[int] = Column(_Id, primary_key=True)
    campaign: Named[int] = Column(_Id, ForeignKey(campaigns.c.id))
    number: Named[int]
    fingerprint: Named[str]
    posterior: Named[Any] = Column(_Json, nullable=False)
    seed: Named[int] = Column(BigInteger)
    policy: Named[str]
    software: Named[str]
    spent: Named[float]
    forecast: Named[float | None]
    decision: Named[Any] = Column(_Json, nullable=False)
    created: Named[str]


rounds = Table("bayescmr_rounds", metadata, _Rounds, UniqueConstraint("campaign", "number"))


class _Options(TypedColumns):
    round: Named[int] = Column(_Id, ForeignKey(rounds.c.id), primary_key=True)
    pick: Named[int] = Column(primary_key=True)
    option: Named[int] = Column(primary_key=True)
    parts: Named[Any] = Column(_Json, nullable=False)
    score: Named[float]
    value: Named[float]
    cost: Named[float]
    propensity: Named[float]
    diagnostics: Named[Any] = Column(_Json, nullable=False)
    chosen: Named[bool]


options = Table("bayescmr_options", metadata, _Options)


class _Runs(TypedColumns):
    id: Named[int] = Column(_Id, primary_key=True)
    campaign: Named[int] = Column(_Id, ForeignKey(campaigns.c.id))
    run: Named[str]
    size: Named[float]
    domain: Named[str]
    ratio: Named[float]
    seed: Named[int | None] = Column(BigInteger)
    # Planned; null for a run made elsewhere.
    tokens: Named[int | None] = Column(BigInteger)
    # Null for a probe of the campaign.
    source: Named[str | None]
    # Further columns of the run table (lr, schedule, ...) of a run made elsewhere.
    about: Named[Any] = Column(_Json, nullable=False)


runs = Table("bayescmr_runs", metadata, _Runs, UniqueConstraint("campaign", "run"))


class _Attempts(TypedColumns):
    id: Named[int] = Column(_Id, primary_key=True)
    run: Named[int] = Column(_Id, ForeignKey(runs.c.id))
    number: Named[int]
    round: Named[int] = Column(_Id, ForeignKey(rounds.c.id))
    checkpoints: Named[Any] = Column(_Json, nullable=False)
    until: Named[int] = Column(BigInteger)
    cost: Named[float]
    state: Named[str]
    runner: Named[str | None]
    handle: Named[Any] = Column(_Json, nullable=True)
    beats: Named[int] = Column(BigInteger)
    reached_tokens: Named[int | None] = Column(BigInteger)
    charge: Named[float | None]
    exit_code: Named[int | None]
    reason: Named[str] = Column(Text)


attempts = Table("bayescmr_attempts", metadata, _Attempts, UniqueConstraint("run", "number"))
Index(
    "ix_bayescmr_attempts_one_open",
    attempts.c.run,
    unique=True,
    sqlite_where=attempts.c.state.in_(OPEN),
    postgresql_where=attempts.c.state.in_(OPEN),
)


class _Losses(TypedColumns):
    id: Named[int] = Column(_Id, primary_key=True)
    run: Named[int] = Column(_Id, ForeignKey(runs.c.id))
    tokens: Named[int] = Column(BigInteger)
    role: Named[str]
    eval_set: Named[str]
    kind: Named[str]
    value: Named[float]
    se: Named[float | None]


losses = Table(
    "bayescmr_losses",
    metadata,
    _Losses,
    UniqueConstraint("run", "tokens", "role", "eval_set", "kind"),
)


class _Events(TypedColumns):
    campaign: Named[int] = Column(_Id, ForeignKey(campaigns.c.id), primary_key=True)
    number: Named[int] = Column(BigInteger, primary_key=True, autoincrement=False)
    kind: Named[str]
    at: Named[str]
    # Canonical JSON as text, not as a JSON column: what is hashed are these very characters.
    content: Named[str] = Column(Text)
    hash: Named[str]


events = Table("bayescmr_events", metadata, _Events)
