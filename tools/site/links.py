"""Links of the repository's Markdown, as they must read on the site."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

#: Target of a Markdown link or picture, without its anchor; code is left alone by `_outside_code`.
_LINK = re.compile(r"(\]\()([^)\s#]+)")
_FENCE = re.compile(r"(^```.*?^```[^\n]*$)", re.DOTALL | re.MULTILINE)


def targets(markdown: str, source: str, root: Path) -> Iterator[str]:
    """Yield files of the repository, by their path in it, that a file links to."""
    for piece in _FENCE.split(markdown):
        if not piece.startswith("```"):
            for match in _LINK.finditer(piece):
                if (found := _target(match[2], source, root)) is not None:
                    yield found


def rewritten(markdown: str, source: str, page: str, pages: Mapping[str, str], root: Path) -> str:
    """Return the text of a file with links as they must be on the page that it becomes.

    Parameters
    ----------
    markdown : str
        Text of ``source``, a path in the repository.
    source, page : str
        Where the text lies in the repository, and on the site.
    pages : mapping of str to str
        Pages of the site that are files outside docs/.
    root : Path
        The repository.
    """

    def link(match: re.Match[str]) -> str:
        target = _target(match[2], source, root)
        if target is None:
            return match[0]
        return match[1] + posixpath.relpath(
            site_name(target, pages), posixpath.dirname(page) or "."
        )

    return "".join(
        piece if piece.startswith("```") else _LINK.sub(link, piece)
        for piece in _FENCE.split(markdown)
    )


def site_name(target: str, pages: Mapping[str, str]) -> str:
    """Return where a file of the repository lies on the site."""
    for page, source in pages.items():
        if source == target:
            return page
    return target.removeprefix("docs/")


def _target(link: str, source: str, root: Path) -> str | None:
    if "://" in link or link.startswith(("mailto:", "/")):
        return None
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    return target if (root / target).is_file() else None
