"""Run the code of one page, in order, in one process.

`python run_page.py PAGE.md` prints one JSON list: of each block its kind, its text, what it
printed and, for commands, the exit code. Ends with the error of the first block of Python that
raises one. Called by test_pages.py in an empty folder.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import sys
from pathlib import Path

BLOCK = re.compile(r"^```(python|console|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(text: str) -> list[tuple[str, str]]:
    """Kind and text of every block that is code, or what code prints."""
    return [(match[1], match[2]) for match in BLOCK.finditer(text)]


def commands(text: str) -> list[list[str]]:
    """Words of every command of a console block, without the prompt and the program."""
    lines = text.replace("\\\n", " ").splitlines()
    return [shlex.split(line.removeprefix("$ "))[1:] for line in lines if "bayescmr " in line]


def main(page: Path) -> None:
    from bayescmr.cli.app import run

    names: dict[str, object] = {"__name__": "__main__"}
    done = []
    for kind, text in blocks(page.read_text(encoding="utf-8")):
        printed = io.StringIO()
        code = 0
        with contextlib.redirect_stdout(printed):
            if kind == "console":
                for words in commands(text):
                    code = code or run(words)
            elif kind == "python":
                # An error ends the process, with its traceback and exit code: a page must run.
                exec(compile(text, page.name, "exec"), names)
        done.append({"kind": kind, "text": text, "printed": printed.getvalue(), "code": code})
    print(json.dumps(done))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
