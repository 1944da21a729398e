"""The site builds without a warning, opens from disk, and every link in it leads somewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from bayescmr.cli.app import app
from bayescmr.laws import law_names

pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
pytest.importorskip("mkdocstrings", reason="the extra `docs` is not installed")
pytestmark = pytest.mark.slow


class Page(HTMLParser):
    """Names of places in a page, and what it links to and loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        self.places |= {named[name] for name in ("id", "name") if name in named}
        if tag == "a" and "href" in named:
            self.links.append(named["href"])
        if tag in ("script", "img", "iframe") and "src" in named:
            self.loaded.append(named["src"])
        if tag == "link" and named.get("rel") in ("stylesheet", "icon", "preload", "preconnect"):
            self.loaded.append(named["href"])


@pytest.fixture(scope="module")
def site(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=repo_root,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(repo_root)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}


def test_every_link_leads_to_a_place(site: Path, pages: dict[Path, Page]) -> None:
    assert len(pages) > 20
    broken = []
    for path, page in pages.items():
        if path.name == "404.html":  # served from anywhere: its links are absolute by design
            continue
        for link in page.links + page.loaded:
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            if not target.exists() or (
                url.fragment
                and target in pages
                and (unquote(url.fragment) not in pages[target].places)
            ):
                broken.append((path.name, link))
    assert not broken


def test_nothing_is_loaded_from_a_network(site: Path, pages: dict[Path, Page]) -> None:
    for path, page in pages.items():
        assert [src for src in page.loaded if "//" in src] == [], path
    for style in site.rglob("*.css"):
        assert "url(http" not in style.read_text(encoding="utf-8"), style


def test_laws_and_commands_are_those_of_the_code(site: Path) -> None:
    import typer

    laws = (site / "laws.html").read_text(encoding="utf-8")
    for name in law_names():
        assert f'id="{name}"' in laws
    commands = Page((site / "cli.html").read_text(encoding="utf-8"))
    command = typer.main.get_command(app)
    for name, below in command.commands.items():  # type: ignore[attr-defined]
        assert f"bayescmr-{name}" in commands.places
        for deeper in getattr(below, "commands", {}):
            assert f"bayescmr-{name}-{deeper}" in commands.places
    # Whole, not cut as typer would: of the first and of the last list of commands.
    text = (site / "cli.html").read_text(encoding="utf-8")
    assert "Fit a model to a run table and save the posterior.</li>" in text
    assert "Domain share above which the first CPT steps raise the general loss.</li>" in text


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    import bayescmr

    places = Page((site / "api.html").read_text(encoding="utf-8")).places
    ends = {place.rsplit(".", 1)[-1] for place in places}
    assert set(bayescmr.__all__) <= ends
