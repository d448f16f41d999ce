"""`/board/hotels/{id}`: its figures are those of the JSON, and what it says where there are none."""

from datetime import date
from itertools import pairwise
from typing import Any

import asyncpg
import pytest
from quart import Response

from common.web.charts.number_text import count_text, signed_text
from common.web.resources import Application
from dashboard.board.page_views.words import percent_text
from dashboard.board.routes_page import hotel as hotel_route
from dashboard.bookings.models.figures import HotelProfile
from dashboard.bookings.queries.profiles import upsert_profile
from tests.dashboard.bookings.event_sources import insert_in_pages, simulated
from tests.dashboard.bookings.expected_curves import HOTEL, booking
from tests.support.pages import Element, addresses, by_id, figure, named, number, read_page, styled, table

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
ROOMS = 6
TILES = {"tonight": 1, "next_7": 7, "next_30": 30, "next_90": 90}


@pytest.fixture
async def simulated_hotel(dashboard_db: asyncpg.Pool) -> None:
    """A hotel of 6 rooms with events from June 2022 to June 2025."""
    await insert_in_pages(dashboard_db, list(simulated()))
    await name_hotel(dashboard_db, "Harbour <House>", ROOMS)


async def name_hotel(db: asyncpg.Pool, name: str | None, rooms: int | None) -> None:
    await upsert_profile(db, HotelProfile(HOTEL, name, rooms, None, hidden=False))


async def get(app: Application, query: str = "", hotel_id: int = HOTEL, **headers: str) -> Response:
    return await app.test_client().get(f"/board/hotels/{hotel_id}{query}", headers={**BROWSER, **headers})


async def get_page(app: Application, query: str = "", hotel_id: int = HOTEL) -> Element:
    response = await get(app, query, hotel_id)
    text = await response.get_data(as_text=True)
    assert response.status_code == 200, text
    return read_page(text)


async def get_json(app: Application, path: str) -> Any:
    response = await app.test_client().get(path)
    assert response.status_code == 200, await response.get_data(as_text=True)
    return await response.get_json()


async def get_nights(app: Application, page: Element) -> list[dict[str, Any]]:
    """The items of the JSON that the page links to."""
    (address,) = (link.attributes["href"] for link in named(by_id(page, "formats"), "a") if link.text == "JSON")
    items: list[dict[str, Any]] = (await get_json(app, address))["items"]
    return items


def total(nights: list[dict[str, Any]], name: str) -> int | None:
    """The sum of what is known; None if nothing is."""
    known = [night[name] for night in nights if night[name] is not None]
    return sum(known) if known else None


def short(night: str) -> str:
    day = date.fromisoformat(night)
    return f"{day:%a} {day.day} {day:%b}"


@pytest.mark.parametrize("match", ["weekday", "date"])
@pytest.mark.parametrize("as_of", ["2024-01-15", "2024-02-29", "2025-02-28", "2025-05-01"])
async def test_the_tiles_and_the_table_have_the_figures_of_the_json(
    dashboard_app: Application, simulated_hotel: None, as_of: str, match: str
) -> None:
    page = await get_page(dashboard_app, f"?as_of={as_of}&match={match}&nights=30")
    nights = [night for night in await get_nights(dashboard_app, page) if night["night"] >= as_of]
    pickup = await get_json(dashboard_app, f"/hotels/{HOTEL}/pickup?as_of={as_of}")

    for name, count in TILES.items():
        assert figure(page, name) == sum(night["on_the_books"] for night in pickup["items"][:count])
        then = total(nights[:count], "same_time_last_year")
        if then is None:
            assert "–" in next(each.text for each in by_id(page, "tiles").below if name_of_tile(each) == name)
        else:
            assert figure(page, f"{name}_difference") == total(nights[:count], "on_the_books") - then  # type: ignore[operator]  # it is known
    words = by_id(page, "headline").text
    taken = figure(page, "tonight")
    assert words.strip().startswith(f"{taken} of {ROOMS} rooms {'was' if taken == 1 else 'were'} taken on ")
    then, now = total(nights[:30], "same_time_last_year"), total(nights[:30], "on_the_books")
    if then is not None and now is not None and then != now:
        side = "over" if now > then else "under"
        assert f"stood {count_text(abs(now - then))} {side} the same time last year" in words
    rows = table(by_id(page, "nights"))
    assert [row[0] for row in rows] == [short(night["night"]) for night in nights[:30]]
    columns: tuple[str, ...] = ("today", "yesterday", "pickup_3", "pickup_7", "pickup_14", "pickup_30")
    columns += ("same_time_last_year", "difference", "last_year")
    for row, night in zip(rows, nights, strict=False):
        assert number(row[1]) == night["on_the_books"]
        assert row[2] == percent_text(night["on_the_books"], ROOMS)
        assert [number(cell) for cell in row[4:]] == [night[column] for column in columns]
    foot = [cell.text for cell in named(named(by_id(page, "nights"), "tfoot")[0], "td")]
    assert number(foot[0]) == total(nights[:30], "on_the_books")
    assert [number(cell) for cell in foot[3:9]] == [total(nights[:30], column) for column in columns[:6]]


def name_of_tile(element: Element) -> str | None:
    """The name of the figure of a tile."""
    if element.attributes.get("class") != "tile":
        return None
    return named(element, "b")[0].attributes["data-figure"]


@pytest.mark.parametrize(("show", "column"), [("fill", None), ("ahead", "difference"), ("pickup7", "pickup_7")])
async def test_every_night_of_twelve_months_is_a_link_with_its_figure(
    dashboard_app: Application, simulated_hotel: None, show: str, column: str | None
) -> None:
    page = await get_page(dashboard_app, f"?as_of=2024-01-15&match=date&show={show}")
    nights = await get_nights(dashboard_app, page)
    (year,) = (each for each in by_id(page, "year").below if "data-roving" in each.attributes)
    links = named(year, "a")

    assert len(links) == len(nights) == 366
    assert (nights[0]["night"], nights[-1]["night"]) == ("2024-01-01", "2024-12-31")
    for link, night in zip(links, nights, strict=True):
        day = str(date.fromisoformat(night["night"]).day)
        change = [each.text for each in named(link, "i")]
        assert link.attributes["href"] == (f"{HOTEL}/nights/{night['night']}?as_of=2024-01-15&match=date")
        assert link.text.removeprefix(day).removesuffix("".join(change)) == str(night["on_the_books"])
        assert link.attributes["aria-label"].startswith(f"{short(night['night'])}: {night['on_the_books']}")
        assert [number(text) for text in change] == ([night[column]] if column else [])
    assert [month.text for month in named(year, "caption")][::11] == ["January 2024", "December 2024"]
    (leap_day,) = (link for link in links if "02-29" in link.attributes["href"])
    if show == "ahead":
        assert leap_day.attributes["aria-label"].endswith(", –")


async def test_both_comparisons_differ_over_a_leap_day(dashboard_app: Application, simulated_hotel: None) -> None:
    weekday = await get_page(dashboard_app, "?as_of=2024-02-20")
    same_date = await get_page(dashboard_app, "?as_of=2024-02-20&match=date")

    assert [figure(weekday, name) for name in TILES] == [figure(same_date, name) for name in TILES]
    assert figure(weekday, "next_30_difference") != figure(same_date, "next_30_difference")


@pytest.mark.parametrize("match", ["weekday", "date"])
async def test_the_bars_of_the_months_are_the_pace(
    dashboard_app: Application, simulated_hotel: None, match: str
) -> None:
    page = await get_page(dashboard_app, f"?as_of=2024-02-29&match={match}")
    pace: dict[str, dict[str, Any]] = {}
    for year in (2024, 2025):
        answer = await get_json(dashboard_app, f"/hotels/{HOTEL}/pace?year={year}&as_of=2024-02-29&match={match}")
        pace |= {item["period"]: item for item in answer["items"]}
    months = [f"2024-{month:02}" for month in range(2, 13)] + ["2025-01"]
    nights = await get_nights(dashboard_app, page)

    rows = table(by_id(page, "pace"))
    assert len(rows) == 12
    for row, month in zip(rows, months, strict=True):
        item = pace[month]
        assert row[0] == f"{date.fromisoformat(month + '-01'):%b}"
        assert [number(cell) for cell in (row[1], row[2], row[4])] == list(item.values())[1:]
        slept = [night["last_year"] for night in nights if night["night"].startswith(month)]
        is_leap_day_alone = match == "date" and month == "2024-02"
        known = None not in slept or is_leap_day_alone
        assert number(row[3]) == (sum(rooms or 0 for rooms in slept) if known else None)
    assert f"/board/hotels/{HOTEL}/months/2024-12?" in "".join(addresses(by_id(page, "pace")))


async def test_days_ahead_and_cancellations_are_those_of_the_year(
    dashboard_app: Application, simulated_hotel: None
) -> None:
    page = await get_page(dashboard_app, "?as_of=2025-06-01")
    found = await get_json(dashboard_app, f"/hotels/{HOTEL}/cancellations?year=2025&as_of=2025-06-01")
    ahead = by_id(page, "ahead")

    assert [[number(cell) for cell in row[1:]] for row in table(ahead)] == [
        [bucket["bookings"], bucket["cancellations"]] for bucket in found["by_lead"]
    ]
    rates = [month["cancellation_rate"] for month in found["by_month"]]
    assert [row[1] for row in table(ahead, 1)] == ["–" if rate is None else f"{100 * rate:.1f}%" for rate in rates]
    lead_time = await get_json(dashboard_app, f"/hotels/{HOTEL}/lead-time?year=2025")
    assert f"half of them {lead_time['median']:.1f}".removesuffix(".0") + " days ahead or less" in ahead.text


async def test_the_nights_that_moved_are_the_furthest_from_what_is_usual(
    dashboard_app: Application, simulated_hotel: None
) -> None:
    page = await get_page(dashboard_app, "?as_of=2025-05-01")
    nights = [night for night in await get_nights(dashboard_app, page) if night["night"] >= "2025-05-01"][:90]
    distances = sorted((abs(night["pickup_7"] - night["usual_7"]) for night in nights), reverse=True)
    by_night = {night["night"]: night for night in nights}

    links = addresses(by_id(page, "moved"))
    leads = [number(each.text) for each in styled(by_id(page, "moved"), "lead")]
    moved = [by_night[address.partition("nights/")[2][:10]] for address in links]
    assert [abs(night["pickup_7"] - night["usual_7"]) for night in moved] == distances[:6]
    assert leads == [night["pickup_7"] - night["usual_7"] for night in moved]
    first = moved[0]
    expected = f"picked up {signed_text(first['pickup_7'])}, last year {signed_text(first['usual_7'])}; "
    assert f"{expected}{first['on_the_books']} of {ROOMS}" in by_id(page, "moved").text


async def test_the_books_and_the_comparison_stay_in_every_link_of_the_page(
    dashboard_app: Application, simulated_hotel: None
) -> None:
    page = await get_page(dashboard_app, "?as_of=2025-05-01&match=date&show=ahead&nights=60&from=2024-05")
    main = by_id(page, "main")

    to_books = [
        address for address in addresses(main) if f"hotels/{HOTEL}" in address or address.startswith(f"{HOTEL}/nights/")
    ]
    back = [address for address in to_books if "as_of=2025-05-01" not in address]
    assert back == [f"/board/hotels/{HOTEL}?show=ahead&nights=60&from=2024-05&match=date"]
    assert all("match=date" in address for address in to_books)
    kept = {
        each.attributes["name"]: each.attributes["value"]
        for each in named(main, "input")
        if "hidden" in each.attributes.values()
    }
    assert kept == {"show": "ahead", "nights": "60", "from": "2024-05"}
    assert "The books of 1 May 2025" in by_id(page, "books").text
    assert "data-refresh" not in main.attributes


async def test_the_calendar_goes_back_to_earlier_months(dashboard_app: Application, simulated_hotel: None) -> None:
    page = await get_page(dashboard_app, "?as_of=2025-05-01")
    (earlier,) = (link for link in named(by_id(page, "year"), "a") if link.text == "Earlier months")
    assert earlier.attributes["href"] == f"/board/hotels/{HOTEL}?from=2024-05&as_of=2025-05-01"

    page = await get_page(dashboard_app, "?from=2024-05&as_of=2025-05-01")
    assert [month.text for month in named(by_id(page, "year"), "caption")][::11] == ["May 2024", "April 2025"]
    assert table(by_id(page, "nights"))[0][0] == "Thu 1 May"
    assert "From this month on" in by_id(page, "year").text


async def test_a_hotel_without_nights_ahead_says_which_night_was_the_last(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await insert_in_pages(
        dashboard_db,
        [
            booking(1, date(2024, 3, 12), date(2024, 1, 1)),
            booking(2, date(2024, 3, 13), date(2024, 1, 1)),
            booking(3, date(2024, 3, 13), date(2024, 1, 2), 2),
        ],
    )
    page = await get_page(dashboard_app)

    assert "No night is on the books after 12 March 2024." in by_id(page, "notes").text
    assert [figure(page, name) for name in TILES] == [0, 0, 0, 0]
    assert "as much as last year" in by_id(page, "moved").text
    assert "is booked." in by_id(page, "ahead").text
    assert by_id(page, "main").attributes["data-refresh"] == "10"

    page = await get_page(dashboard_app, "?as_of=2023-12-31")
    assert "No night is on the books." in by_id(page, "notes").text


async def test_a_young_feed_has_dashes_for_last_year(dashboard_app: Application, dashboard_db: asyncpg.Pool) -> None:
    await insert_in_pages(
        dashboard_db, [booking(1, date(2024, 6, 1), date(2024, 5, 3)), booking(2, date(2024, 6, 2), date(2024, 5, 3))]
    )
    page = await get_page(dashboard_app, "?as_of=2024-05-31&show=ahead")

    assert (
        "The nights in the feed begin on 1 June 2024, so nothing can be compared with last year yet."
        in by_id(page, "notes").text
    )
    assert {cell for row in table(by_id(page, "nights")) for cell in row[10:]} == {"–"}
    assert {row[2] for row in table(by_id(page, "pace"))} == {"–"}
    assert "The last 7 days changed none of the next 90 nights." in by_id(page, "moved").text

    page = await get_page(dashboard_app, "?as_of=2024-05-03")
    assert "picked up +1, last year not known; " in by_id(page, "moved").text
    assert "No night is on the books after 2 June 2024." in by_id(page, "notes").text


async def test_without_rooms_there_is_no_per_cent(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, simulated_hotel: None
) -> None:
    await name_hotel(dashboard_db, None, None)
    page = await get_page(dashboard_app, "?as_of=2025-05-01")

    assert [title.text for title in named(page, "h1")] == [f"Hotel {HOTEL}"]
    assert "%" not in by_id(page, "tiles").text + by_id(page, "moved").text
    assert {row[2] for row in table(by_id(page, "nights"))} == {"–"}
    assert "of the fullest night, " in by_id(page, "year").text
    assert "The number of rooms is unknown" in by_id(page, "notes").text


@pytest.mark.parametrize("as_of", ["2024-02-29", "2025-05-01"])
async def test_what_all_nights_booked_and_cancelled_is_that_of_the_summary(
    dashboard_app: Application, simulated_hotel: None, as_of: str
) -> None:
    page = await get_page(dashboard_app, f"?as_of={as_of}")
    items = (await get_json(dashboard_app, f"/summary?as_of={as_of}"))["items"]
    (item,) = [item for item in items if item["hotel_id"] == HOTEL]

    for day in ("yesterday", "today"):
        assert figure(page, f"booked_{day}") == item[day]["bookings"]
        assert figure(page, f"cancelled_{day}") == -item[day]["cancellations"]


async def test_an_unknown_hotel_is_answered_with_those_that_are_known(
    dashboard_app: Application, simulated_hotel: None
) -> None:
    response = await get(dashboard_app, "", 99)
    page = read_page(await response.get_data(as_text=True))

    assert response.status_code == 404
    assert [title.text for title in named(page, "h1")] == ["Hotel 99 was never heard of"]
    assert f"/board/hotels/{HOTEL}" in addresses(by_id(page, "main"))
    assert "Harbour <House>" in by_id(page, "main").text


async def test_without_any_hotel_the_page_of_an_unknown_one_says_so(dashboard_app: Application) -> None:
    response = await get(dashboard_app)

    assert response.status_code == 404
    assert "The feed has no events of any hotel yet" in await response.get_data(as_text=True)


@pytest.mark.parametrize(
    "query",
    [
        "?as_of=2199-12-31",
        "?as_of=0001-01-02",
        "?as_of=yesterday",
        "?match=month",
        "?show=all",
        "?nights=15",
        "?from=2026-13",
    ],
)
async def test_a_wrong_value_is_refused_with_a_page_that_names_it(
    dashboard_app: Application, simulated_hotel: None, query: str
) -> None:
    response = await get(dashboard_app, query)
    text = await response.get_data(as_text=True)

    assert response.status_code == 400
    assert f'name="{query[1:].partition("=")[0]}"' in text
    assert response.content_type == "text/html; charset=utf-8"


@pytest.mark.parametrize("query", ["?as_of=", "?utm_source=letter", "?as_of=1900-01-01"])
async def test_an_empty_date_an_unknown_parameter_and_an_early_date_are_taken(
    dashboard_app: Application, simulated_hotel: None, query: str
) -> None:
    assert (await get(dashboard_app, query)).status_code == 200


async def test_an_unchanged_page_is_answered_without_reading_nights(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, simulated_hotel: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = (await get(dashboard_app)).headers["ETag"]
    reads: list[str] = []

    async def select_nothing(*_: object) -> list[Any]:
        reads.append("nights")
        raise AssertionError("the nights are read")

    with monkeypatch.context() as patched:
        patched.setattr(hotel_route, "require_nights", select_nothing)
        response = await get(dashboard_app, "", HOTEL, **{"If-None-Match": tag})
    assert (response.status_code, reads) == (304, [])
    assert (await get(dashboard_app, "?show=ahead", HOTEL, **{"If-None-Match": tag})).status_code == 200

    await insert_in_pages(dashboard_db, [booking(10_000_000, date(2025, 6, 1), date(2025, 5, 1))])
    assert (await get(dashboard_app, "", HOTEL, **{"If-None-Match": tag})).status_code == 200


async def test_the_page_is_small_and_has_no_styles_or_scripts_of_its_own(
    dashboard_app: Application, simulated_hotel: None
) -> None:
    text = await (await get(dashboard_app, "?as_of=2025-05-01&show=ahead&match=date&nights=90")).get_data(as_text=True)

    assert len(text.encode()) < 120 * 1024
    page = read_page(text)
    for element in page.below:
        assert not any(name == "style" or name.startswith("on") for name in element.attributes)
        assert element.name != "style"
        assert element.name != "script" or "src" in element.attributes
    assert "&lt;House&gt;" in text
    headings = [int(each.name[1]) for each in page.below if each.name in ("h1", "h2", "h3", "h4")]
    assert headings[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(headings))
