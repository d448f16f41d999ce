"""Reads the HTML of pages: figures, links, tables and texts."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

from quart import Response

from common.web.resources import Application

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
VOID = {"meta", "link", "input", "br", "img", "path"}


@dataclass
class Element:
    """An element with its attributes, all the text below it, and the elements below it in order."""

    name: str
    attributes: dict[str, str]
    text: str = ""
    below: "list[Element]" = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        for outer in self._open:
            outer.below.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].name == tag, f"</{tag}> closes <{self._open[-1].name}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for outer in self._open:
            outer.text += data


async def browse(app: Application, address: str, **headers: str) -> Response:
    """What a browser is answered."""
    return await app.test_client().get(address, headers={**BROWSER, **headers})


async def browse_page(app: Application, address: str) -> Element:
    """The page that a browser is answered with the status 200."""
    response = await browse(app, address)
    text = await response.get_data(as_text=True)
    assert response.status_code == 200, text
    return read_page(text)


def read_page(text: str) -> Element:
    """The page. Fails if its elements are not nested."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader.root


def by_id(page: Element, element_id: str) -> Element:
    """The only element with an id."""
    (found,) = (element for element in page.below if element.attributes.get("id") == element_id)
    return found


def named(element: Element, name: str) -> list[Element]:
    """The elements of a name below it."""
    return [each for each in element.below if each.name == name]


def figure(page: Element, name: str) -> int | None:
    """A figure of the page; None for a dash."""
    return number(figure_text(page, name))


def figure_text(page: Element, name: str) -> str:
    """The text that is marked with the name of a figure."""
    (found,) = (element for element in page.below if element.attributes.get("data-figure") == name)
    return found.text


def number(text: str) -> int | None:
    """A number as pages write it."""
    plain = text.strip().replace(",", "").replace("−", "-")
    return None if plain == "–" else int(plain)


def table(element: Element, position: int = 0) -> list[list[str]]:
    """The cells of each row of the body of a table."""
    body = named(named(element, "table")[position], "tbody")[0]
    return [[cell.text for cell in row.below if cell.name in ("th", "td")] for row in named(body, "tr")]


def rows(element: Element) -> list[list[str]]:
    """The cells of all rows of tables below an element, heads and feet included."""
    return [[cell.text.strip() for cell in row.below if cell.name in ("th", "td")] for row in named(element, "tr")]


def styled(element: Element, style: str) -> list[Element]:
    """The elements of a class below it."""
    return [each for each in element.below if style in each.attributes.get("class", "").split()]


def next_address(response: Response) -> str:
    """Where the Link header says that the next page of a list is; empty on the last page."""
    links = response.headers.get("Link", "").split(", ")
    return next((link.partition(">")[0].removeprefix("<") for link in links if link.endswith('rel="next"')), "")


def addresses(element: Element) -> list[str]:
    """Where the links of an element lead."""
    return [link.attributes["href"] for link in named(element, "a")]


def json_address(page: Element, label: str = "JSON") -> str:
    """Where the footer says that the same figures are."""
    [address] = [link.attributes["href"] for link in named(by_id(page, "alternates"), "a") if link.text == label]
    return address
