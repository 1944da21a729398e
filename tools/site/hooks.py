"""Hooks of mkdocs: pages made from code, and files of the repository that pages link to."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))

import commands
import laws
import links

ROOT = Path(__file__).resolve().parents[2]
#: Page of the site to file of the repository, for pages that are not in docs/.
PAGES = {
    "index.md": "README.md",
    "ARCHITECTURE.md": "ARCHITECTURE.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    **{
        (name := path.relative_to(ROOT).as_posix()): name
        for path in sorted(ROOT.glob("case_studies/*/README.md"))
    },
}
MADE = {"laws.md": laws.page, "cli.md": commands.page}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is made, what lies elsewhere, and every file that one of these pages links to."""
    for name, page in MADE.items():
        files.append(File.generated(config, name, content=page()))
    for name, source in PAGES.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / source)))
    for page in files.documentation_pages():
        if page.src_uri in MADE:
            continue
        for target in links.targets(page.content_string, source_of(page.src_uri), ROOT):
            name = links.site_name(target, PAGES)
            if files.get_file_from_path(name) is None:
                files.append(File.generated(config, name, abs_src_path=str(ROOT / target)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Let links between files of the repository be links between pages of the site."""
    if page.file.src_uri in MADE:
        return markdown
    source = source_of(page.file.src_uri)
    return links.rewritten(markdown, source, page.file.src_uri, PAGES, ROOT)


def source_of(page: str) -> str:
    """Return the file of the repository that a page is made of."""
    return PAGES.get(page, f"docs/{page}")
