"""The page at `/`: its figures are those of the summary, and its lines lead to what is unusual."""

from tests.dashboard.board.conftest import GetPage


async def test_a_page_without_hotels_says_where_the_feed_is_and_how_to_import(get_page: GetPage) -> None:
    response, page = await get_page("/")

    assert response.status_code == 200
    assert "<code>http://127.0.0.1:9000</code>" in page
    assert "docs/own-data.md" in page


async def test_the_page_shows_the_hotels(get_page: GetPage, houses: None) -> None:
    response, page = await get_page("/")
    assert response.status_code == 200, page
    print(page)
