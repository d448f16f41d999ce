"""Reads what the macros print, and checks it: well-formed, and each coordinate inside its drawing."""

import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from jinja2 import Environment, PackageLoader, StrictUndefined

from common.web.charts.marks import Chart, Drawing, SmallChart, Words

ENVIRONMENT = Environment(
    loader=PackageLoader("common.web", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
MACROS = {Chart: "chart", SmallChart: "small", Drawing: "plain"}
COMMAND = re.compile(r"([MLHVZ])([^MLHVZ]*)")
NUMBER = re.compile(r"-?\d+(\.\d)?")
TITLE = "Fish & <chips>"
FINDING = 'It\'s "4 < 5".'


def words(series: int) -> Words:
    """Words that must be escaped."""
    return Words(TITLE, FINDING, "<day>", tuple(f"<series> {number}" for number in range(series)))


def text_of(of: Chart | SmallChart | Drawing) -> str:
    """The HTML that the macro for a chart prints."""
    return str(getattr(ENVIRONMENT.get_template("charts.html").module, MACROS[type(of)])(of))


def checked(of: Chart | SmallChart | Drawing) -> ET.Element:
    """The printed chart as a tree, after checks that hold for every chart."""
    text = text_of(of)
    page = ET.fromstring(f"<page>{text}</page>")
    assert re.findall(r"\sstyle=|\son\w+=|<style|<script", text) == []
    for svg in page.iter("svg"):
        _, _, width, height = map(float, svg.attrib["viewBox"].split())
        for x, y in coordinates(svg):
            assert 0 <= x <= width, (x, width)
            assert 0 <= y <= height, (y, height)
        assert svg.get("aria-hidden") == "true" or (svg.findtext("title"), svg.findtext("desc")) == (TITLE, FINDING)
    assert all(label.get("aria-hidden") == "true" for label in page.iter("text"))
    return page


def coordinates(svg: ET.Element) -> Iterator[tuple[float, float]]:
    """The coordinates of all paths and texts; fails where one is not a number with at most one decimal."""
    for label in svg.iter("text"):
        yield _number(label.attrib["x"]), _number(label.attrib["y"])
    for path in svg.iter("path"):
        data = path.attrib["d"]
        assert data.startswith("M"), data
        assert "".join(command + numbers for command, numbers in COMMAND.findall(data)) == data
        x = y = 0.0
        for command, numbers in COMMAND.findall(data):
            match command, [_number(number) for number in numbers.split()]:
                case (("M" | "L"), [x, y]):
                    pass
                case "H", [x]:
                    pass
                case "V", [y]:
                    pass
                case "Z", []:
                    pass
                case other:
                    raise AssertionError(other)
            yield x, y


def paths(page: ET.Element, style: str) -> list[str]:
    """The data of the paths of a style, in the order wide, narrow; without the legend's."""
    return [
        path.attrib["d"]
        for svg in page.iter("svg")
        if svg.get("role")
        for path in svg.iter("path")
        if path.get("class") == style
    ]


def labels(page: ET.Element, size: str) -> list[str]:
    """The texts of the drawing of a size."""
    return [label.text or "" for svg in page.iter("svg") if svg.get("class") == size for label in svg.iter("text")]


def table(page: ET.Element) -> list[list[str]]:
    """The rows of the table of numbers, its head first."""
    return [["".join(cell.itertext()) for cell in row] for row in page.iter("tr")]


def _number(text: str) -> float:
    assert NUMBER.fullmatch(text), text
    return float(text)
