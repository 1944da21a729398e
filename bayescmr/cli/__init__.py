"""Command line: one file per command. Heavy imports happen inside the commands."""

from __future__ import annotations


def main() -> None:
    """Run the command line and exit with a code of :mod:`bayescmr.cli.exits`."""
    from bayescmr.cli.app import run

    raise SystemExit(run())


__all__ = ["main"]
