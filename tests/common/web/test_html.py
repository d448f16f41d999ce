"""Pages: escaped, under a policy without inline styles and scripts; and their assets."""

import re
from datetime import UTC, datetime

import pytest
from jinja2 import UndefinedError
from quart import Quart, Response
from quart.typing import ResponseReturnValue

from common.web import application, html, landing_page
from common.web.errors import NotFound
from common.web.html import ASSETS, asset_url, content_security_policy, html_page
from common.web.input_types import PageInput
from common.web.landing_page import Figure, FigureTable, instant_figure
from common.web.query_string import validate_querystring
from common.web.resources import Application

SCRIPT = "<script>alert(1)</script>"


async def figures() -> tuple[list[Figure], list[FigureTable]]:
    rows = [(SCRIPT, 7, None)]
    return [Figure(SCRIPT, SCRIPT)], [FigureTable(SCRIPT, (SCRIPT,), rows)]


async def no_database() -> tuple[list[Figure], list[FigureTable]]:
    raise ConnectionRefusedError


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


class ShelfQuery(PageInput):
    shelf: str | None = None


def app_with(figures: landing_page.Figures) -> Application:
    app = application.create("ground", title="Ground", description="For tests", tags={})
    landing_page.install(app, title="T", description=SCRIPT, links={"/x": SCRIPT}, figures=figures)
    add_pages(app)
    return app


def add_pages(app: Application) -> None:
    @app.get("/shelf")
    @html_page
    @validate_querystring(ShelfQuery)
    async def shelf(query_args: ShelfQuery) -> Response:
        if query_args.shelf == "gone":
            raise NotFound(f"There is no {SCRIPT}.")
        return Response(query_args.shelf or "all")

    @app.post("/shelf/decide")
    @html_page
    async def decide() -> ResponseReturnValue:
        raise RuntimeError("SELECT secret")

    @app.get("/plain")
    async def plain() -> ResponseReturnValue:
        raise NotFound("Not here.")


async def text_of(app: Quart, path: str = "/") -> str:
    response = await app.test_client().get(path)
    assert response.status_code == 200
    return await response.get_data(as_text=True)


async def test_every_text_of_the_landing_page_is_escaped() -> None:
    page = await text_of(app_with(figures))

    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 8
    assert "alert(1)</script>" not in page


async def test_the_landing_page_says_when_the_database_cannot_be_reached() -> None:
    assert "The database cannot be reached" in await text_of(app_with(no_database))


@pytest.mark.parametrize("path", ["/", "/docs", "/shelf"])
@pytest.mark.parametrize("query", ["utm_source=mail&fbclid=1", "utm_source=a&utm_source=b", "%ff=%ff", "x"])
async def test_a_page_ignores_parameters_that_it_does_not_know(path: str, query: str) -> None:
    assert await text_of(app_with(figures), f"{path}?{query}")


async def test_a_page_still_reads_and_checks_its_own_parameters() -> None:
    app = app_with(figures)
    assert await text_of(app, "/shelf?shelf=3&utm_source=mail") == "3"
    response = await app.test_client().get("/shelf?shelf=3&shelf=4", headers={"Accept": BROWSER})
    assert (response.status_code, response.mimetype) == (400, "text/html")
    assert "shelf: is given more than once" in await response.get_data(as_text=True)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/shelf?shelf=gone", 404), ("POST", "/shelf/decide", 500), ("GET", "/shelf/decide", 405)],
)
async def test_a_browser_gets_the_errors_of_a_page_as_a_page(method: str, path: str, status: int) -> None:
    response = await app_with(figures).test_client().open(path, method=method, headers={"Accept": BROWSER}, json=None)
    page = await response.get_data(as_text=True)

    assert (response.status_code, response.mimetype) == (status, "text/html")
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["Cache-Control"] == "no-store"
    assert '<a href="/">' in page
    assert "SELECT" not in page
    assert "<script>alert" not in page
    assert ("Allow" in response.headers) == (status == 405)


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/problem+json, text/html;q=0.9"])
@pytest.mark.parametrize("path", ["/shelf?shelf=gone", "/shelf/decide", "/nothing"])
async def test_a_program_gets_the_errors_of_a_page_as_problem_documents(accept: str | None, path: str) -> None:
    headers = {"Accept": accept} if accept else {}
    response = await app_with(figures).test_client().get(path, headers=headers)

    assert response.content_type == "application/problem+json"


async def test_a_browser_gets_the_errors_of_figures_as_problem_documents() -> None:
    response = await app_with(figures).test_client().get("/plain", headers={"Accept": BROWSER})

    assert (response.status_code, response.content_type) == (404, "application/problem+json")


async def test_a_browser_gets_a_page_at_an_address_that_does_not_exist() -> None:
    response = await app_with(figures).test_client().get("/nothing", headers={"Accept": BROWSER})

    assert (response.status_code, response.mimetype) == (404, "text/html")
    assert "Nightaudit has no page at this address." in await response.get_data(as_text=True)


@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_a_page_needs_no_inline_style_or_script(path: str) -> None:
    app = app_with(figures)
    response = await app.test_client().get(path)
    page = await response.get_data(as_text=True)

    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["Cache-Control"] == "no-store"
    assert re.findall(r"<style|<script(?! src=)|\sstyle=|\son\w+=|javascript:", page) == []


async def test_the_assets_of_a_page_are_served_and_may_be_kept_for_good() -> None:
    app = app_with(figures)
    linked = re.findall(r'"(/assets/[^"]+)"', await text_of(app) + await text_of(app, "/docs"))

    urls = [asset.url for asset in ASSETS.values()]
    assert {"page.css", "page.js", "docs.css", "docs.js"} <= {url.rpartition("/")[2] for url in linked}
    assert set(linked) <= set(urls)
    for url in urls:
        response = await app.test_client().get(url)
        assert response.status_code == 200
        assert "immutable" in response.headers["Cache-Control"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.content_type == ASSETS[url.rpartition("/")[2]].content_type


@pytest.mark.parametrize("path", ["/assets/000000000000/page.css", "/assets/0/nothing.css", "/assets/x/..%2fhtml.py"])
async def test_an_unknown_asset_or_version_is_404_and_not_kept(bare: Application, path: str) -> None:
    response = await bare.test_client().get(path)

    assert response.status_code == 404
    assert "Cache-Control" not in response.headers


def test_the_address_of_an_asset_depends_on_its_content() -> None:
    assert re.fullmatch(r"/assets/[0-9a-f]{12}/page\.css", asset_url("page.css"))
    assert len({asset.url.split("/")[2] for asset in ASSETS.values()}) == len(ASSETS)


def test_a_policy_adds_and_replaces_directives() -> None:
    policy = content_security_policy(script_src="'self'", form_action="'none'")

    assert "; script-src 'self'" in policy
    assert "form-action 'none'" in policy
    assert "form-action 'self'" not in policy


def test_a_template_that_lacks_a_value_fails() -> None:
    with pytest.raises(UndefinedError):
        html.Templates("common.web").render("landing_page.html", title="T")


def test_an_instant_is_shown_as_a_time_with_its_date_in_the_label() -> None:
    assert instant_figure("newest", datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)) == Figure(
        "newest 2020-01-02", "03:04:05 UTC"
    )
    assert instant_figure("newest", None) == Figure("newest", "none yet")
