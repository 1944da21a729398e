"""TeX: any name comes out harmless, and what is written compiles to the same bytes every time."""

from __future__ import annotations

import re
import shutil
import string
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bayescmr as bc
from bayescmr.errors import BayesCMRError
from bayescmr.report import tex
from bayescmr.report.data import ReportData, report_data
from bayescmr.report.document import (
    Check,
    Checks,
    Code,
    Equation,
    Figure,
    Number,
    Section,
    Table,
    Text,
)
from bayescmr.report.tex.characters import LONGEST_WORD, escape, file_name, macro_name
from bayescmr.report.tex.references import _NAMED, bibliography, cited
from bayescmr.report.tex.table import is_long, tabular

LABELS = [
    r"\input{/etc/passwd}",
    r"\write18{touch pwned}",
    "^^5cinput{x}",
    r"\end{document}",
    "a" * 10_000,
    "a b " * 500,
    "العربية نص",
    "🙂👨‍👩‍👧 emoji",
    "line\nbreak\r\n",
    "=cmd()|x",
    '$x_1$ & 100% #1 {~}^ "q" `t\' <b>|',
    "Müller naïve Łódź Ωmega µ×≤−",
    "生物学文献データ",
    "[opt] *",
    "--flag ?`!`",
    "\u202eevil\u202c",
    "% comment",
    "e\u0301\u0302\u0303 \u0301",
    "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
    "",
]

needs_tex = pytest.mark.skipif(
    shutil.which("pdflatex") is None or shutil.which("bibtex") is None,
    reason="no pdflatex: apt-get install texlive-science texlive-latex-recommended lmodern",
)


def hostile() -> ReportData:
    """A report in which every text is hostile, with every kind of block and a failed check."""
    rows = tuple(
        (
            label,
            Number(f"row_{i}_share", 0.1 * i - 0.3, "%", 3),
            Number(f"row_{i}_size", 10.0 ** (3 * i % 12), "count"),
            Number(f"row_{i}_small", 1e-9 * i + 1e-12, "", 2),
            None if i % 2 else Number(f"row_{i}_whole", i),
        )
        for i, label in enumerate(LABELS)
    )
    texts = [
        Text((f"At {label} keep ", Number(f"safe_{i}", 0.41, "%"), " of ", Code(label), "."))
        for i, label in enumerate(LABELS)
    ]
    data = pd.DataFrame({"label": LABELS, "=y": np.linspace(0, 1, len(LABELS))})
    failed = Check("R-hat " + LABELS[0], "FAIL", "1.2", "< 1.01", "Vehtari et al. 2021", LABELS[1])
    checks = (failed, Check(LABELS[9], "PASS", "900", ">= 400", LABELS[2], "-"))

    def draw(ax):
        ax.plot(data["=y"])
        return ax

    blocks = (
        *texts,
        Table("hostile", " ".join(LABELS), ("=label", "a (%)", "size", "b", "[c]"), rows),
        Table("../../etc", LABELS[0], ("x",), ()),
        Table("long", "long", ("x", "y"), tuple((Number(f"l{i}", i), "y") for i in range(80))),
        Figure("fig^^41", LABELS[1], "alt", data, draw),
        Equation(r"x &= \frac{1}{2} \\ y &= 2", "x = 1/2"),
    )
    return ReportData(
        title="Report of " + LABELS[0] + LABELS[8],
        answer=Text(("At " + LABELS[1] + ", keep ", Number("answer", 0.372, "%"), ".")),
        banner=(failed,),
        sections=(
            Section("A", LABELS[3], blocks),
            Section("M", "Checks", (Checks(checks),)),
        ),
        provenance={},
        explorer=None,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("hostile")
    tex.write(hostile(), made)
    return made


# -- characters ------------------------------------------------------------------------------

_COMMANDS = re.compile(
    r"\\(textbackslash|textasciitilde|textasciicircum|textless|textgreater|textbar|ldots|allowbreak"
    r"|textasciigrave|textquotesingle|ss|ae|AE|oe|OE|o|O|l|L|i|S|copyright){}"
    r"|\\char34{}|\\bayescmrchar{[0-9A-F]{4,6}}|\\[{}&%$#_]|\\texttt"
    r"|\\[`'^~=u.\"rHvc]{(\\i|[A-Za-z])}|\$[-{}A-Za-z\\^0-9]+\$|{}|{[\[\]*]}"
)


@given(st.text(), st.booleans())
def test_nothing_but_known_commands_comes_out(text, typed):
    out = escape(text, typed=typed)
    assert set(out) <= set(string.printable) - set("\t\n\r\x0b\x0c")
    rest = _COMMANDS.sub("", out)
    rest = rest.removeprefix(" ").removeprefix("{").removesuffix(" ").removesuffix("}")
    assert not set(rest) & set(r"\{}$&#^_~%[]*"), (out, rest)
    assert "^^" not in out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50 % of A_b & C#1", r"50 \% of A\_b \& C\#1"),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("Müller, Łódź", r"M\"{u}ller, \L{}\'{o}d\'{z}"),
        ("R ≤ 1 − µ", r"R $\le$ 1 $-$ $\mu$"),
        ("“a” – b…", r"``a'' -- b\ldots{}"),
        ("--seed", "-{}-seed"),
        (" kept ", " kept "),
        ("生", r"\bayescmrchar{751F}"),
        ("a\nb\tc\u202ed", "a b c d"),
    ],
)
def test_characters_by_hand(text, expected):
    assert escape(text) == expected


def test_long_words_are_cut_and_can_be_broken():
    out = escape("x" * 10_000)
    assert out.count("x") == LONGEST_WORD
    assert out.endswith(r"\ldots{}")
    assert max(map(len, out.split(r"\allowbreak{}"))) <= 24
    foreign = escape("生" * 10_000)
    assert foreign.count(r"\bayescmrchar") == 12


@given(st.lists(st.text(alphabet="abz09_", min_size=1), unique=True))
def test_macros_have_names_of_their_own(names):
    taken: set[str] = set()
    made = [macro_name(name, taken) for name in names]
    assert len(set(made)) == len(names)
    assert all(re.fullmatch("cmr[A-Za-z]*", name) for name in made)


def test_macro_names_by_hand():
    assert macro_name("answer_median", set()) == "cmrAnswerMedian"
    assert macro_name("cmr_p95_upper", set()) == "cmrPNineFiveUpper"
    assert macro_name("time", set()) == "cmrTime"


def test_file_names_stay_in_their_folder():
    assert file_name("../../etc/passwd") == "------etc-passwd"
    assert file_name("") == "unnamed"


# -- tables ----------------------------------------------------------------------------------


def cells(source: str) -> list[list[str]]:
    """Rows between the rules of every tabular of a table."""
    found = []
    for body in re.findall(
        r"(?:\\midrule|\\endfoot)\n(.*?)\n\\(?:bottomrule|end{long)", source, re.S
    ):
        if "\\endfirsthead" in body:
            continue
        found += [line.removesuffix(r" \\").split(" & ") for line in body.splitlines()]
    return found


def test_numbers_are_rounded_and_aligned():
    rows = (
        ("law", Number("a", -0.03141, "", 2), Number("b", 3.1e9, "count"), Number("c", 0.5, "%")),
        ("code", Number("d", 12.5, "", 3), Number("e", 4.6e8, "count"), None),
        ("maths", None, None, Number("f", 1e-9, "%", 2)),
    )
    source = tabular(Table("t", "", ("domain", "x", "size", "share (%)"), rows), "", "")
    assert "S[table-format=-2.3]r" in source, "numbers at the point, counts to the right"
    assert cells(source) == [
        ["law", "-0.031", "3.1B", r"\num{50.0}"],
        ["code", "12.5", "460M", "{--}"],
        ["maths", "{--}", "{--}", r"\num{1.0e-7}"],
    ]


def test_facts_in_one_column_carry_their_units():
    rows = (
        ("risk", Number("risk", 0.1, "%", 2)),
        ("se", Number("se", 0.5, "nats/token", 1)),
        ("x", "y"),
    )
    assert cells(tabular(Table("t", "", ("fact", "value"), rows), "", "")) == [
        ["risk", r"\num{10}\,\%"],
        ["se", r"\num{0.5}~nats/token"],
        ["x", "y"],
    ]


def test_a_wide_table_is_set_in_parts_and_loses_nothing():
    names = [f"column {i}" for i in range(30)]
    rows = tuple(
        ("same", f"row {r}", *(Number(f"n{r}_{c}", 1000 * r + c) for c in range(28)))
        for r in range(4)
    )
    source = tabular(Table("t", "", tuple(names), rows), "", "")
    assert source.count(r"\begin{tabular}") > 1
    found = cells(source)
    for r in range(4):
        mine = [row for row in found if row[1] == f"row {r}"]
        assert [c for row in mine for c in row[2:]] == [str(1000 * r + c) for c in range(28)]


def test_a_long_table_breaks_over_pages():
    short = Table("t", "", ("x",), tuple((Number(f"n{i}", i),) for i in range(10)))
    long = Table("t", "", ("x",), tuple((Number(f"n{i}", i),) for i in range(60)))
    assert not is_long(short) and is_long(long)
    source = tabular(long, "What it is", "tab:cmr:t")
    assert r"\caption{What it is}\label{tab:cmr:t}" in source
    assert [row[0] for row in cells(source)] == [str(i) for i in range(60)]


# -- sources ---------------------------------------------------------------------------------


def test_sources_are_cited_once_and_known():
    text = "Vehtari et al. 2021, doi 10.1214/20-BA1221, as in Vehtari et al. 2021; Gu et al. 2024."
    out = cited(text)
    assert re.findall(r"~\\cite{(\w+)}", out) == ["vehtari2021rhat", "gu2024cmr"]
    assert re.sub(r"~\\cite{\w+}", "", out) == text
    assert r"\cite" not in cited("arXiv 2407.17467v2")


def test_every_source_is_in_the_bibliography():
    keys = re.findall(r"@\w+{(\w+),", bibliography())
    assert len(set(keys)) == len(keys)
    assert set(_NAMED) <= set(keys)


# -- the folder ------------------------------------------------------------------------------


def test_the_folder_holds_fragments_figures_and_data(folder):
    found = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert found >= {
        "report.tex",
        "preamble.tex",
        "macros.tex",
        "references.bib",
        "sections/A.tex",
        "sections/M.tex",
        "sections/answer.tex",
        "sections/banner.tex",
        "tables/hostile.tex",
        "tables/hostile.csv",
        "tables/checks.tex",
        "figures/fig--41.pdf",
        "figures/fig--41.csv",
    }
    for path in folder.rglob("*.tex"):
        text = path.read_text(encoding="utf-8")
        assert text.isascii(), path.name
        assert "^^" not in text


def test_the_text_quotes_numbers_through_macros_only(folder):
    macros = dict(
        re.findall(r"\\newcommand{\\(\w+)}{(.*)} % ", (folder / "macros.tex").read_text())
    )
    assert macros["cmrAnswer"] == r"\num{37.2}"
    answer = (folder / "sections/answer.tex").read_text()
    assert r"keep \cmrAnswer{}\,\%." in answer
    assert "37.2" not in answer
    assert "41.0" not in (folder / "sections/A.tex").read_text()


def test_a_failed_check_warns_every_reader(folder):
    assert "1 check(s) FAILED" in (folder / "macros.tex").read_text()
    banner = (folder / "sections/banner.tex").read_text()
    assert banner.startswith(r"\bayescmrbanner{\bayescmrfail{FAIL.}")
    report = (folder / "report.tex").read_text()
    assert report.index("sections/banner") < report.index("sections/answer")


def test_the_same_report_gives_the_same_bytes(folder, tmp_path):
    tex.write(hostile(), tmp_path)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "report.pdf":
            assert (tmp_path / path.relative_to(folder)).read_bytes() == path.read_bytes()


@needs_tex
def test_hostile_names_compile_harmlessly(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    made = tex.compile_tex(folder)
    assert made.read_bytes().startswith(b"%PDF")
    assert tex.compile_tex(copy).read_bytes() == made.read_bytes(), "the same bytes"
    assert not list(folder.rglob("*pwned*")) and not Path("pwned").exists()
    assert b"CreationDate" not in made.read_bytes()
    assert not [p for p in folder.iterdir() if p.suffix in {".aux", ".log"}]
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext: apt-get install poppler-utils")
    pages = subprocess.run(
        ["pdftotext", "-layout", str(made), "-"], capture_output=True, text=True, check=True
    ).stdout.split("\f")
    assert "FAIL. Do not rely on these numbers." in " ".join(pages[0].split())
    text = "\n".join(pages)
    assert r"\input{/etc/passwd}" in text and "root:" not in text
    assert "37.2 %" in " ".join(text.replace("\u2009", " ").split()) or "37.2" in text
    assert "U+751F" in text and "Müller" in text
    assert "[?]" not in text and "??" not in text, "every source and label is resolved"


@pytest.mark.skipif(shutil.which("lualatex") is None, reason="no lualatex")
@needs_tex
def test_a_unicode_engine_reads_the_same_fragments(folder, tmp_path):
    if subprocess.run(["kpsewhich", "luaotfload.sty"], capture_output=True, check=False).returncode:
        pytest.skip("no luaotfload: apt-get install texlive-luatex")
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert tex.compile_tex(copy, "lualatex").read_bytes().startswith(b"%PDF")


def test_no_engine_is_one_line(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BayesCMRError) as raised:
        tex.compile_tex(folder)
    assert "\n" not in str(raised.value)
    assert "found none of pdflatex, lualatex, xelatex" in str(raised.value)


@needs_tex
def test_tex_that_does_not_compile_is_one_line(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("report.pdf"))
    (copy / "sections/A.tex").write_text(r"\undefinedcommand")
    with pytest.raises(
        BayesCMRError, match="pdflatex failed: ! Undefined control sequence"
    ) as raised:
        tex.compile_tex(copy)
    assert "\n" not in str(raised.value)
    assert not (copy / "report.pdf").exists()


@pytest.mark.parametrize(
    ("tolerance", "risk", "shown", "words"),
    [
        (0.0, 0.001, "0", "no finance share is safe at 0.1 % risk: the safe share is"),
        (50.0, 0.9, "100", "every finance share is safe at 90 % risk, up to"),
    ],
)
def test_a_paper_compiles_whatever_is_safe(
    saved: Path, target: bc.Target, tmp_path: Path, tolerance, risk, shown, words
) -> None:
    data = report_data(bc.load(saved), replace(target, tolerance=tolerance), risk=risk)
    # Without the sections that have figures, which take long to draw.
    tex.write(replace(data, sections=data.sections[:1]), tmp_path)
    assert f"\\newcommand{{\\cmrSafeRatio}}{{\\num{{{shown}}}}}" in (
        tmp_path / "macros.tex"
    ).read_text(encoding="utf-8")
    answer = (tmp_path / "sections" / "answer.tex").read_text(encoding="utf-8")
    assert words.replace("%", r"\%") in " ".join(answer.split())
    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex: apt-get install texlive-science lmodern")
    paper = "\\documentclass{article}\n\\newcommand{\\bayescmrdir}{}\n\\input{preamble}\n"
    paper += "\\input{macros}\n\\begin{document}\n\\cmrSafeRatio\\,\\%\n\\end{document}\n"
    (tmp_path / "paper.tex").write_text(paper, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
