"""Alembic migrations of a store of campaigns; each revision is one file in ``versions``."""
