"""CSV and TSV: rows that are bad cost themselves, and a table that is none is refused once."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.exchange import delimited
from core.exchange.faults import FileError, RejectedError
from core.exchange.files import read_columns, read_records

pytestmark = pytest.mark.pure


def rows_of(path: Path, content: str | bytes, **options: str) -> dict[str, object]:
    """The rows of a file by their places; a rejected one as its reason."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    records = read_records(path, **options)
    return {place: str(row) if isinstance(row, RejectedError) else list(row.values()) for place, row in records}


def test_a_stray_quote_costs_its_row(tmp_path: Path) -> None:
    """Whether it stands within a cell, or opens one that is never closed."""
    content = 'a,b\n"x "y" z",1\n"ok",2\n"open,3\nfine,4\n'
    rows = rows_of(tmp_path / "t.csv", content)
    assert {place: row for place, row in rows.items() if isinstance(row, list)} == {
        "line 3": ["ok", "2"],
        "line 5": ["fine", "4"],
    }
    assert [place for place, row in rows.items() if "stray quote" in str(row)] == ["line 2", "line 4"]


def test_rows_that_a_late_quote_has_swallowed_come_out_again(tmp_path: Path) -> None:
    """A row of many lines with a wrong number of cells is read again from its second line."""
    rows = rows_of(tmp_path / "t.csv", 'a,b\n"one,1\ntwo,2\nthree",3,x\nfour,4\n')
    assert rows["line 3"] == ["two", "2"]
    assert rows["line 5"] == ["four", "4"]
    assert [place for place, row in rows.items() if isinstance(row, str)] == ["line 2", "line 4"]
    rows = rows_of(tmp_path / "t.csv", 'a,b\n"one,1\ntwo,2\nthree"\nfour,4\n')
    assert [row for row in rows.values() if isinstance(row, list)] == [["two", "2"], ['three"'], ["four", "4"]]
    assert "over 3 lines, it has 1 fields of 2" in str(rows["line 2"])


def test_the_place_is_where_the_row_begins(tmp_path: Path) -> None:
    """Blank lines are no rows."""
    rows = rows_of(tmp_path / "t.csv", 'a,b\n"1\n2\n3",x\n\n"4\n5",y\n6,z\n')
    assert list(rows) == ["line 2", "line 6", "line 8"]


def test_a_byte_that_is_not_utf8_costs_its_row(tmp_path: Path) -> None:
    """The other rows are read, with their own letters."""
    rows = rows_of(tmp_path / "t.csv", "a,b\nüber,1\n".encode() + b"caf\xe9,2\n" + "né,3\n".encode())
    assert rows == {"line 2": ["über", "1"], "line 3": "it is not UTF-8", "line 4": ["né", "3"]}


def test_an_open_quote_is_given_up_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of a long file is not held in memory."""
    monkeypatch.setattr(delimited, "_CELL_LIMIT", 50)
    rows = rows_of(tmp_path / "t.csv", 'a,b\n"open,1\n' + "x,2\n" * 100)
    assert len([row for row in rows.values() if row == ["x", "2"]]) == 100
    assert "not closed within 50 characters" in str(rows["line 2"])


def test_tabs_and_other_delimiters(tmp_path: Path) -> None:
    """By the ending, or as the mapping says; without quotes where it says so."""
    assert rows_of(tmp_path / "t.tsv", 'a\tb\n1, 2\t"x"\n') == {"line 2": ["1, 2", "x"]}
    assert rows_of(tmp_path / "t.csv", "a;b\n1;2,5\n", delimiter=";") == {"line 2": ["1", "2,5"]}
    assert rows_of(tmp_path / "q.tsv", 'a\tb\n"So" it is\t5"\n', quote="") == {"line 2": ['"So" it is', '5"']}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a;b;c\n1;2;3\n", 'delimiter = ";"'),
        ("a\tb\n1\t2\n", 'delimiter = "\\t"'),
        ("a,b,a\n1,2,3\n", "two columns have the same name, 'a'"),
        ("a,b\n", "no rows"),
        ('a,b\n"1\n', ":2: not CSV"),
        ("a,b\n1,2,3\n4,5,6\n", ":2: it has more fields"),
        (b"a,caf\xe9\n1,2\n", "not UTF-8 in its first line"),
    ],
)
def test_a_table_that_is_none_is_refused_once(tmp_path: Path, content: str | bytes, reason: str) -> None:
    """Also where no row can be read; the way out is named."""
    with pytest.raises(FileError) as caught:
        rows_of(tmp_path / "t.csv", content)
    assert reason in str(caught.value)


def test_columns_are_read_without_the_rows(tmp_path: Path) -> None:
    """A mark at the beginning of the file belongs to no name."""
    path = tmp_path / "t.csv"
    path.write_text("claim, facts \n", encoding="utf-8-sig")
    assert read_columns(path) == ["claim", " facts "]


CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(
    st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"]), st.sampled_from(",;\t")
)
def test_what_was_written_is_read(rows: list[tuple[str, str]], line_end: str, delimiter: str) -> None:
    """Whatever stands in the cells; a bad row in the middle costs nothing but itself."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end)
    writer.writerow(["a", "b"])
    head = text.getvalue()
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows(rows)
    bad = f'"stray "quote"{delimiter}"x"{line_end}'
    for content, count in ((text.getvalue(), 0), (bad + text.getvalue(), 1), (text.getvalue() + bad, 1)):
        records = delimited.read_rows(Path("t.csv"), io.BytesIO((head + content).encode()), delimiter, '"')
        values = [row for _, row in records]
        assert [tuple(row.values()) for row in values if isinstance(row, dict)] == rows
        assert sum(isinstance(row, RejectedError) for row in values) == count
