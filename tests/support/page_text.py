"""Reads pages as a browser gets them: their texts, figures and tables."""

import re
from html import unescape

from quart import Response

from common.web.resources import Application

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


async def browse(app: Application, path: str, **headers: str) -> Response:
    """What a browser is answered."""
    return await app.test_client().get(path, headers={**BROWSER, **headers})


async def page_of(app: Application, path: str) -> str:
    """The HTML of a page."""
    response = await browse(app, path)
    text = await response.get_data(as_text=True)
    assert response.status_code == 200, text
    return text


def words(html: str) -> str:
    """The text of a piece of HTML, without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def part(html: str, element_id: str) -> str:
    """The HTML of the section, paragraph, list of links or block with an id."""
    found = re.search(rf'<(section|p|nav|div) id="{element_id}".*?</\1>', html, re.DOTALL)
    assert found, element_id
    return found[0]


def figure(html: str, name: str) -> str:
    """The text of the element that shows a figure."""
    found = re.search(rf'<(\w+)[^>]* data-figure="{name}">(.*?)</\1>', html, re.DOTALL)
    assert found, name
    return words(found[2])


def rows(html: str) -> list[list[str]]:
    """The cells of all rows of tables in a piece of HTML."""
    return [
        [words(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)]
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", html, re.DOTALL)
    ]


def links(html: str) -> list[str]:
    """The addresses of the links in a piece of HTML."""
    return [unescape(address) for address in re.findall(r'<a [^>]*?href="([^"]*)"', html)]
