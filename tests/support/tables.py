"""Reads the tables in responses."""

import csv
import io
from typing import Any

import openpyxl


async def sheet(answer: Any) -> list[list[Any]]:
    """The rows of the first sheet of a workbook, with the header."""
    book = openpyxl.load_workbook(io.BytesIO(await answer.get_data(as_text=False)))
    return [list(row) for row in book.worksheets[0].iter_rows(values_only=True)]


async def rows(answer: Any) -> list[list[str]]:
    """The rows of a CSV file, with the header."""
    return list(csv.reader(io.StringIO(await answer.get_data(as_text=True))))
