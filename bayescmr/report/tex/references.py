"""Where the text names a method's source, the citation that belongs there."""

from __future__ import annotations

import re
from importlib.resources import files

from bayescmr.report.tex.characters import escape

#: Key in ``references.bib``, and how the text may name it.
_NAMED = {
    "betancourt2016diagnosing": ("Betancourt 2016", "1604.00695"),
    "gabry2019visualization": ("Gabry et al. 2019", "10.1111/rssa.12378"),
    "gelman2013bda": ("Gelman et al. 2013",),
    "gelman2020workflow": ("Gelman et al. 2020", "2011.01808"),
    "gu2024cmr": ("Gu et al. 2024", "2407.17467"),
    "kallioinen2024powerscaling": ("Kallioinen et al. 2024", "10.1007/s11222-023-10366-5"),
    "kruschke2021barg": ("Kruschke 2021", "10.1038/s41562-021-01177-7"),
    "que2024dcpt": ("Que et al. 2024", "2406.01375"),
    "sailynoja2022graphical": (
        "Sailynoja, Burkner, Vehtari 2022",
        "Säilynoja et al. 2022",
        "Sailynoja et al. 2022",
        "10.1007/s11222-022-10090-6",
    ),
    "talts2018sbc": ("Talts et al. 2018", "1804.06788"),
    "vehtari2017loo": (
        "Vehtari, Gelman, Gabry 2017",
        "Vehtari et al. 2017",
        "10.1007/s11222-016-9696-4",
    ),
    "vehtari2021rhat": ("Vehtari et al. 2021", "10.1214/20-BA1221"),
    "vehtari2024psis": ("Vehtari et al. 2024",),
    "yao2018stacking": ("Yao et al. 2018", "10.1214/17-BA1091"),
}
_KEYS = {words: key for key, named in _NAMED.items() for words in named}
_ANY = re.compile(
    "(?:" + "|".join(map(re.escape, sorted(_KEYS, key=len, reverse=True))) + r")(?!\w)"
)


def bibliography() -> str:
    """Contents of ``references.bib``."""
    return files("bayescmr.report.tex").joinpath("references.bib").read_text(encoding="utf-8")


def cited(text: str) -> str:
    r"""Plain text as TeX, with a ``\cite`` after the first mention of each source."""
    found, at = [], 0
    seen: set[str] = set()
    for match in _ANY.finditer(text):
        key = _KEYS[match.group()]
        if key in seen:
            continue
        seen.add(key)
        found.append(escape(text[at : match.end()]) + rf"~\cite{{{key}}}")
        at = match.end()
    return "".join(found) + escape(text[at:])
