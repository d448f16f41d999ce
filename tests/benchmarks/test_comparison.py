"""The comparison of two checkouts: alternating runs, and the ratio of the figures of each row."""

from pathlib import Path

import pytest

from benchmarks import comparison
from benchmarks.table import Row, format_heading, format_row


def table(*rows: Row) -> str:
    return "\n".join([format_heading(), *map(format_row, rows)]) + "\n"


def test_figures_are_read_from_a_printed_table() -> None:
    printed = "a line of a log\n" + table(
        Row("search", 12_345, 20_000, "requests/s", "a note", ">= 0.5"), Row("memory", 1.25, None, "MiB"),
        Row("search", 12_345, 10_000, "requests/s"),
    )  # fmt: skip
    assert comparison.parse_figures(printed) == {
        ("search", 0): (12_345, "requests/s"),
        ("memory", 0): (1.25, "MiB"),
        ("search", 1): (12_345, "requests/s"),
    }


def test_rows_are_matched_by_name_and_renamed_rows_by_order() -> None:
    here = comparison.parse_figures(table(Row("a", 2, None, "s"), Row("b", 30, None, "/s"), Row("new", 8, None, "s")))
    there = comparison.parse_figures(table(Row("b", 10, None, "/s"), Row("a", 1, None, "s"), Row("old", 2, None, "s")))
    lines = [line.split() for line in comparison.format_comparison([here], [there])]
    assert lines == [
        ["a", "2", "1", "s", "2.000"],
        ["b", "30", "10", "/s", "3.000"],
        ["new", "8", "2", "s", "4.000"],
    ]


def test_tables_of_different_rows_cannot_be_compared() -> None:
    one = comparison.parse_figures(table(Row("a", 1, None, "s")))
    two = comparison.parse_figures(table(Row("a", 1, None, "s"), Row("b", 1, None, "s")))
    with pytest.raises(ValueError, match="1 rows cannot be compared with 2"):
        comparison.format_comparison([one], [two])


def test_the_checkouts_alternate_and_the_medians_are_compared(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    runs: list[Path] = []

    def run_in(checkout: Path, _: str, __: str) -> comparison.Figures:
        runs.append(checkout)
        return {("work", 0): (float(len(runs)), "s")}

    monkeypatch.setattr(comparison, "run_in", run_in)
    assert comparison.compare(tmp_path, ["stays"], "1m")
    here = comparison.HERE
    assert runs == [here, tmp_path, tmp_path, here, here, tmp_path]
    assert capsys.readouterr().out.splitlines()[-1].split() == ["work", "4", "3", "s", "1.333"]


def test_a_benchmark_that_fails_in_one_checkout_does_not_stop_the_comparison(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def run_in(_: Path, name: str, __: str) -> comparison.Figures:
        if name == "broken":
            raise ValueError("no figures")
        return {("work", 0): (1.0, "s")}

    monkeypatch.setattr(comparison, "run_in", run_in)
    assert not comparison.compare(tmp_path, ["broken", "stays"], "1m")
    *_, failed, compared = capsys.readouterr().out.splitlines()
    assert failed == "broken  FAILED  ValueError: no figures"
    assert compared.startswith("work ")
