r"""Plain text as harmless TeX, in ASCII.

Names in a run table may hold anything: commands, ``^^5c`` (which TeX reads as a backslash before
it knows of any escape), marks that turn the direction of writing, ten thousand letters. All that
comes out of here is printable ASCII in which nothing but the commands written here is a command.
Letters that pdfLaTeX lacks become ``\bayescmrchar{code}``, which prints the letter under LuaLaTeX
and XeLaTeX where their font has it, and its code point elsewhere.
"""

from __future__ import annotations

import re
import unicodedata

from bayescmr.words import name

#: Characters of one word, and letters unknown to pdfLaTeX in it, that are set; more is cut.
LONGEST_WORD, _MOST_FOREIGN = 80, 12
#: A word longer than this may be broken after each so many characters.
_UNBROKEN, _PIECE = 24, 16

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    # The straight quote of whatever encoding is in use, and never a shorthand of babel.
    '"': r"\char34{}",
    # Never the optional argument of what stands before.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "`": r"\textasciigrave{}",
    "…": r"\ldots{}",
    "–": "--",
    "—": "---",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
    "§": r"\S{}",
    "©": r"\copyright{}",
}
_MATHS = {
    "−": "-",
    "±": r"\pm",
    "×": r"\times",
    "·": r"\cdot",
    "≤": r"\le",
    "≥": r"\ge",
    "≠": r"\ne",
    "≈": r"\approx",
    "∞": r"\infty",
    "→": r"\to",
    "∈": r"\in",
    "√": r"\surd",
    "∝": r"\propto",
    "°": r"{}^\circ",
    "¹": "{}^1",
    "²": "{}^2",
    "³": "{}^3",
    "α": r"\alpha",
    "β": r"\beta",
    "γ": r"\gamma",
    "δ": r"\delta",
    "ε": r"\varepsilon",
    "ζ": r"\zeta",
    "η": r"\eta",
    "θ": r"\theta",
    "κ": r"\kappa",
    "λ": r"\lambda",
    "μ": r"\mu",
    "µ": r"\mu",
    "ν": r"\nu",
    "π": r"\pi",
    "ρ": r"\rho",
    "σ": r"\sigma",
    "τ": r"\tau",
    "φ": r"\varphi",
    "χ": r"\chi",
    "ψ": r"\psi",
    "ω": r"\omega",
    "Δ": r"\Delta",
    "Σ": r"\Sigma",
    "Ω": r"\Omega",
}
#: Combining marks after a letter, as accents before it.
_ACCENTS = {
    "\u0300": r"\`",
    "\u0301": r"\'",
    "\u0302": r"\^",
    "\u0303": r"\~",
    "\u0304": r"\=",
    "\u0306": r"\u",
    "\u0307": r"\.",
    "\u0308": r"\"",
    "\u030a": r"\r",
    "\u030b": r"\H",
    "\u030c": r"\v",
    "\u0327": r"\c",
}
_BREAK_AFTER = "/_-.,=:;\\"


def escape(text: str, *, typed: bool = False) -> str:
    r"""Plain text as TeX.

    Parameters
    ----------
    text : str
        Anything. Line ends and control characters become spaces; of a word of more than 80
        characters the rest becomes an ellipsis.
    typed : bool
        Whether the text is a command or a file name: set in typewriter, and quotes, hyphens and
        spaces stay as they are.

    Returns
    -------
    str
        Printable ASCII.
    """
    # Blanks at either end part a piece of a sentence from the number beside it.
    before, after = text[:1].isspace(), text[-1:].isspace() and text.strip() != ""
    words = " ".join(_word(word, typed) for word in name(text, len(text) + 1).split(" "))
    if not text.strip():
        return " " if text else ""
    found = f"\\texttt{{{words}}}" if typed else words
    return f"{' ' if before else ''}{found}{' ' if after else ''}"


def _word(word: str, typed: bool) -> str:
    cut = word if len(word) <= LONGEST_WORD else word[:LONGEST_WORD] + "…"
    found, since, foreign = [], 0, 0
    for letter in _letters(cut):
        tex = _letter(letter, typed)
        if tex.startswith(r"\bayescmrchar"):
            foreign += 1
            if foreign > _MOST_FOREIGN:
                found.append(r"\ldots{}")
                break
        if letter == "-" and found and found[-1] == "-":
            found.append("{}")  # two hyphens stay two
        found.append(tex)
        since += 1
        if (len(cut) > _UNBROKEN and since >= _PIECE) or (typed and letter in _BREAK_AFTER):
            found.append(r"\allowbreak{}")
            since = 0
    return "".join(found)


def _letters(word: str) -> list[str]:
    """Letters with the one accent that TeX can put on them; other marks stand alone."""
    found: list[str] = []
    for char in unicodedata.normalize("NFD", word):
        accentable = found and len(found[-1]) == 1 and found[-1].isascii() and found[-1].isalpha()
        if char in _ACCENTS and accentable:
            found[-1] += char
        else:
            found.append(char)
    return found


def _letter(letter: str, typed: bool) -> str:
    if typed and letter == "'":
        return r"\textquotesingle{}"
    if letter in _SPECIAL:
        return _SPECIAL[letter]
    if letter in _MATHS:
        return f"${_MATHS[letter]}$"
    if len(letter) == 2:
        base, mark = letter[0], letter[1]
        return f"{_ACCENTS[mark]}{{{r'\i' if base == 'i' else base}}}"
    if " " <= letter <= "\x7e":
        return letter
    return rf"\bayescmrchar{{{ord(letter):04X}}}"


def macro_name(number: str, taken: set[str]) -> str:
    r"""Name of the macro of a number: ``answer_median`` is ``\cmrAnswerMedian``.

    Digits are spelled, since TeX allows letters only, and all names start with ``cmr``, since
    TeX has a ``\time`` and a ``\size`` already. ``taken`` holds the names in use, and grows.
    """
    spelled = re.sub(r"[0-9]", lambda d: f"_{_DIGITS[int(d.group())]}_", number)
    parts = [part for part in re.split(r"[^A-Za-z]+", spelled) if part]
    if parts[:1] == ["cmr"]:
        parts = parts[1:]
    found = "cmr" + "".join(part[0].upper() + part[1:] for part in parts)
    while found in taken:
        found += "X"
    taken.add(found)
    return found


def file_name(name: str) -> str:
    """Name as a file's: no separators, no dots, nothing that TeX reads as a command."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)[:80] or "unnamed"


_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
