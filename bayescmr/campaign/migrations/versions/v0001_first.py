"""Tables of the first version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "bayescmr_campaigns",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("config", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("budget", sa.Double(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created", sa.String(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bayescmr_campaigns")),
        sa.UniqueConstraint("name", name=op.f("uq_bayescmr_campaigns_name")),
    )
    op.create_table(
        "bayescmr_events",
        sa.Column("campaign", ID, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign"], ["bayescmr_campaigns.id"], name=op.f("fk_bayescmr_events_campaign")
        ),
        sa.PrimaryKeyConstraint("campaign", "number", name=op.f("pk_bayescmr_events")),
    )
    op.create_table(
        "bayescmr_leases",
        sa.Column("campaign", ID, nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.String(), nullable=True),
        sa.Column("beats", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign"], ["bayescmr_campaigns.id"], name=op.f("fk_bayescmr_leases_campaign")
        ),
        sa.PrimaryKeyConstraint("campaign", name=op.f("pk_bayescmr_leases")),
    )
    op.create_table(
        "bayescmr_rounds",
        sa.Column("id", ID, nullable=False),
        sa.Column("campaign", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("posterior", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("software", sa.String(), nullable=False),
        sa.Column("spent", sa.Double(), nullable=False),
        sa.Column("forecast", sa.Double(), nullable=True),
        sa.Column("decision", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign"], ["bayescmr_campaigns.id"], name=op.f("fk_bayescmr_rounds_campaign")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bayescmr_rounds")),
        sa.UniqueConstraint("campaign", "number", name=op.f("uq_bayescmr_rounds_campaign_number")),
    )
    op.create_table(
        "bayescmr_runs",
        sa.Column("id", ID, nullable=False),
        sa.Column("campaign", ID, nullable=False),
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("size", sa.Double(), nullable=False),
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("ratio", sa.Double(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=True),
        sa.Column("tokens", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.String(), nullable=True),
        sa.Column("about", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign"], ["bayescmr_campaigns.id"], name=op.f("fk_bayescmr_runs_campaign")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bayescmr_runs")),
        sa.UniqueConstraint("campaign", "run", name=op.f("uq_bayescmr_runs_campaign_run")),
    )
    op.create_table(
        "bayescmr_attempts",
        sa.Column("id", ID, nullable=False),
        sa.Column("run", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("round", ID, nullable=False),
        sa.Column("checkpoints", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.Double(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("runner", sa.String(), nullable=True),
        sa.Column("handle", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("beats", sa.BigInteger(), nullable=False),
        sa.Column("reached_tokens", sa.BigInteger(), nullable=True),
        sa.Column("charge", sa.Double(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["round"], ["bayescmr_rounds.id"], name=op.f("fk_bayescmr_attempts_round")
        ),
        sa.ForeignKeyConstraint(
            ["run"], ["bayescmr_runs.id"], name=op.f("fk_bayescmr_attempts_run")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bayescmr_attempts")),
        sa.UniqueConstraint("run", "number", name=op.f("uq_bayescmr_attempts_run_number")),
    )
    op.create_index(
        "ix_bayescmr_attempts_one_open",
        "bayescmr_attempts",
        ["run"],
        unique=True,
        sqlite_where=sa.text("state IN ('reserved', 'submitted')"),
        postgresql_where=sa.text("state IN ('reserved', 'submitted')"),
    )
    op.create_table(
        "bayescmr_losses",
        sa.Column("id", ID, nullable=False),
        sa.Column("run", ID, nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("eval_set", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("se", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["run"], ["bayescmr_runs.id"], name=op.f("fk_bayescmr_losses_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bayescmr_losses")),
        sa.UniqueConstraint(
            "run",
            "tokens",
            "role",
            "eval_set",
            "kind",
            name=op.f("uq_bayescmr_losses_run_tokens_role_eval_set_kind"),
        ),
    )
    op.create_table(
        "bayescmr_options",
        sa.Column("round", ID, nullable=False),
        sa.Column("pick", sa.Integer(), nullable=False),
        sa.Column("option", sa.Integer(), nullable=False),
        sa.Column("parts", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("cost", sa.Double(), nullable=False),
        sa.Column("propensity", sa.Double(), nullable=False),
        sa.Column("diagnostics", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("chosen", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["round"], ["bayescmr_rounds.id"], name=op.f("fk_bayescmr_options_round")
        ),
        sa.PrimaryKeyConstraint("round", "pick", "option", name=op.f("pk_bayescmr_options")),
    )
