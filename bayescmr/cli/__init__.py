"""Command line: one file per command. Heavy imports happen inside the commands."""

from __future__ import annotations


def main() -> None:
    """Run the command line and exit: 0 fine, 2 wrong input or usage, 3 not converged."""
    from bayescmr.cli.app import run

    raise SystemExit(run())


__all__ = ["main"]
