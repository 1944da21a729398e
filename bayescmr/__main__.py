"""``python -m bayescmr`` is the command ``bayescmr``."""

from __future__ import annotations

from bayescmr.cli import main

if __name__ == "__main__":
    main()
