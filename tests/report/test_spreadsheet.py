"""CSV files: numbers as they are, and no name that a spreadsheet would compute."""

from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import pytest

from bayescmr.report.document import Number, Table
from bayescmr.report.spreadsheet import harmless, table_frame, write_csv

FORMULAS = ["=cmd()|'/C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "\ufeff=1"]


@pytest.mark.parametrize("name", FORMULAS, ids=range(len(FORMULAS)))
def test_formulas_become_text(name, tmp_path):
    write_csv(pd.DataFrame({"name": [name], name: ["law"], "x": [-0.5]}), tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        head, row = csv.reader(file)
    assert row[0] == head[1] == f"'{name}"
    assert row[1] == "law"
    assert float(row[2]) == -0.5, "a negative number stays a number"


def test_other_names_stay_as_they_are():
    for name in ("law", "生物", "a,b", 'say "x"', "2+2", "", "line\nbreak"):
        assert harmless(name) == name


def test_numbers_keep_nine_digits(tmp_path):
    table = pd.DataFrame({"x": [np.pi, 1e-12, np.nan], "n": [1, 2, 3], "yes": [True, False, True]})
    write_csv(table, tmp_path / "t.csv")
    read = pd.read_csv(tmp_path / "t.csv")
    pd.testing.assert_frame_equal(read, table, rtol=1e-8)


def test_cells_of_a_table_in_the_unit_of_their_column(tmp_path):
    rows = ((Number("a", 0.298, "%"), "=law"), (None, "code"), (Number("b", 7), None))
    frame = table_frame(Table("t", "", ("ratio (%)", "domain"), rows))
    write_csv(frame, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "ratio (%),domain\n29.8,'=law\n,code\n7,\n"
