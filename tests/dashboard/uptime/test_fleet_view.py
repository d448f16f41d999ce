"""The words of the page of the fleet."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from dashboard.uptime.inputs import FleetPageQuery, parse_percent
from dashboard.uptime.models.fleet import (
    BANDS,
    BandCount,
    FleetDay,
    FleetStore,
    Gap,
    LastIncident,
    Spread,
    StateCounts,
)
from dashboard.uptime.models.imports import Import
from dashboard.uptime.page_views.fleet import band_links, gap_words, headline, shown_words
from dashboard.uptime.page_views.fleet_question import FleetQuestion, store_page
from dashboard.uptime.page_views.fleet_reports import import_lines
from dashboard.uptime.page_views.fleet_rows import ago_words, store_row

NOW = datetime(2026, 11, 28, 12, 5, tzinfo=UTC)
AS_OF = datetime(2026, 11, 28, 12, 3, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(hours=24)
QUESTION = FleetQuestion()


def spread(states: dict[str, int], measured: int = 200, breaches: int = 12, **changes: Any) -> Spread:
    counts = StateCounts(NOW, **{**dict.fromkeys(("up", "down", "closed", "stale", "never_polled"), 0), **states})
    target = Decimal("0.99")
    found = Spread("week", target, "id", AS_OF, measured, breaches, 0.97987, 1.0, band_counts(0), counts, [])
    return msgspec.structs.replace(found, **changes)


def band_counts(stores: int) -> list[BandCount]:
    """Bands with so many stores each."""
    return [BandCount(band, ends and ends[0], ends and ends[1], stores) for band, ends in BANDS.items()]


def sentence(found: Spread, question: FleetQuestion = QUESTION) -> str:
    return "".join(part.text for part in headline(found, question, NOW))


def test_the_sentence_says_what_is_down_what_missed_the_target_and_how_the_fleet_did() -> None:
    found = spread({"up": 150, "down": 3, "closed": 47})
    assert sentence(found) == (
        "3 of 200 stores are down now. 12 missed 99% in the 7 days to 12:03 UTC; "
        "half were up 100.00% of their open time, the worst twentieth under 97.98%."
    )
    assert [part.address for part in headline(found, QUESTION, NOW) if part.address] == [
        "/board/stores?state=down", "/board/stores?band=missed",
    ]  # fmt: skip


def test_what_is_not_known_is_said_and_is_neither_up_nor_down() -> None:
    assert sentence(spread({"up": 1, "stale": 4, "never_polled": 2})).startswith(
        "None of 7 stores is down now, and nothing is known of 6. "
    )
    assert sentence(spread({"stale": 5})).startswith("Nothing is known now of any of 5 stores. 12 missed")
    nobody = spread({"never_polled": 1}, measured=0, breaches=0, as_of=None, p5=None, p50=None)
    assert sentence(nobody) == "Nothing is known now of the only store."
    assert "No store was open and polled in the 7 days" in sentence(spread({"closed": 9}, 0, 0, p5=None, p50=None))


def test_a_fleet_of_one_is_not_spoken_of_as_many() -> None:
    one = spread({"down": 1}, 1, 0, p5=0.99996, p50=0.99996)
    assert sentence(one) == "The only store is down now. It was up 99.99% of its open time in the 7 days to 12:03 UTC."
    missed = spread({"closed": 1}, 1, 1, p5=0.5, p50=0.5)
    assert sentence(missed) == (
        "The only store is closed now. It was up 50.00% of its open time in the 7 days to 12:03 UTC, which misses 99%."
    )
    alone = spread({"up": 1, "closed": 5}, 1, 1, p5=0.5, p50=0.5)
    assert (
        "One store was open and polled in the 7 days to 12:03 UTC, and was up 50.00% of that time, which misses 99%."
        in (sentence(alone))
    )


def test_without_any_store_there_is_no_sentence() -> None:
    assert headline(spread({}, 0, 0, as_of=None, p5=None, p50=None), QUESTION, NOW) == []


def test_while_nobody_polls_the_sentence_does_not_speak_of_now() -> None:
    def silent(states: dict[str, int]) -> str:
        return "".join(part.text for part in headline(spread(states), QUESTION, NOW, is_silent=True))

    assert silent({"up": 150, "down": 3}).startswith("3 of 153 stores were down at the last poll. ")
    assert silent({"up": 5, "stale": 2}).startswith(
        "None of 7 stores was down at the last poll, and nothing is known of 2."
    )
    assert silent({"up": 1}).startswith("The only store was up at its last poll.")
    assert silent({"closed": 1}).startswith("The only store is closed now.")


@pytest.mark.parametrize(
    ("shown", "left", "is_first", "words"),
    [
        (0, 0, True, ""),
        (1, 1, True, "1 store."),
        (12, 12, True, "12 stores."),
        (50, 1204, True, "The worst 50 of 1,204."),
        (50, 1154, False, "50 of 1,154 that follow."),
        (4, 4, False, "The last 4 stores."),
        (1, 1, False, "The last store."),
    ],
)
def test_a_page_says_how_many_stores_there_are(shown: int, left: int, is_first: bool, words: str) -> None:
    assert shown_words(shown, left, is_first=is_first) == words


def test_the_worst_twentieth_is_named_where_it_is_a_store_and_was_up_at_all() -> None:
    states = {"up": 10}
    assert "twentieth" not in sentence(spread(states, 10, 0))
    assert "a twentieth not at all" in sentence(spread(states, p5=0.0))
    assert "at least 19 in 20 were up 100.00% of their open time" in sentence(spread(states, breaches=0, p5=1.0))
    assert "half were up 99.99% or more" in sentence(spread(states, p50=0.999999))


def test_a_period_that_ended_on_another_day_is_named_by_its_day() -> None:
    old = spread({"stale": 3}, as_of=datetime(2023, 1, 25, 18, 13, tzinfo=UTC))
    assert "in the 7 days to Wed 25 Jan 2023, 18:13 UTC" in sentence(old)


@pytest.mark.parametrize(
    ("text", "share"), [("99", "0.99"), ("99,95 %", "0.9995"), ("", "0.99"), ("0", "0"), ("100", "1")]
)
def test_a_target_is_per_cent_on_the_page(text: str, share: str) -> None:
    assert parse_percent(text) == Decimal(share)


@pytest.mark.parametrize("text", ["100.1", "-1", "1e2", "ninety", "٩٩", "1e400"])
def test_a_target_that_is_not_per_cent_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a number of per cent"):
        parse_percent(text)


def test_addresses_keep_what_is_asked_and_leave_out_what_is_usual() -> None:
    assert FleetQuestion.of(FleetPageQuery()).page() == "/board/stores"
    asked = FleetQuestion("day", Decimal("0.9950"), "down", "missed", "new york")
    assert asked.page() == "/board/stores?period=day&target=99.5&state=down&band=missed&search=new+york"
    assert asked.stores("/stores/fleet", limit=50) == (
        "/stores/fleet?period=day&target=0.995&state=down&band=missed&search=new+york&limit=50"
    )
    assert asked.unfiltered().page() == "/board/stores?period=day&target=99.5"
    assert asked.words() == "Stores that are down now and missed 99.5%, with “new york”, worst first"
    assert store_page("a/b <c>?") == "/board/stores/a%2Fb%20%3Cc%3E%3F"


def gap(start: datetime, end: datetime, *, ongoing: bool = False) -> Gap:
    return Gap(start, end, None, None, (end - start).total_seconds(), ongoing)


def test_a_time_in_which_nobody_polled_is_unknown_not_down() -> None:
    night = datetime(2026, 11, 28, 3, 10, tzinfo=UTC)
    assert gap_words([gap(night, night + timedelta(minutes=115))], NOW) == [
        "Nobody polled 03:10–05:05 UTC (1 h 55 min): unknown, not down."
    ]
    assert gap_words([gap(night - DAY, night)], NOW) == [
        "Nobody polled from Fri 27 Nov, 03:10 to 03:10 UTC (24 h): unknown, not down."
    ]
    assert gap_words([gap(NOW - 2 * HOUR, NOW, ongoing=True)], NOW) == [
        "Nobody has polled any store since 10:05 UTC, for 2 h: what happened since is unknown, not down."
    ]
    many = [gap(night - number * DAY, night - number * DAY + HOUR) for number in range(5, 0, -1)]
    assert len(gap_words(many, NOW)) == 3
    assert "polled Fri 27 Nov, 03:10–04:10 UTC" in gap_words(many, NOW)[0]


def test_bands_are_links_that_filter_and_the_chosen_one_leads_back() -> None:
    asked = replace(QUESTION, period="day", band="95", state="down", search="berlin")
    links = band_links(spread({"up": 1}, bands=band_counts(3)), asked)
    chosen = next(link for link in links if link.is_current)
    assert (chosen.label, chosen.address) == ("95 to 99%", "/board/stores?period=day&state=down&search=berlin")
    # The column counts all stores of its band, so its link leads to all of them.
    assert [link.address for link in links if link.label == "100%"] == ["/board/stores?period=day&band=100"]
    assert [link.address for link in links if link.label == "no data"] == ["/board/stores?period=day&band=no_data"]
    styles = {link.label: link.column.marks[-1].style for link in links if hasattr(link.column.marks[-1], "style")}
    assert (styles["95 to 99%"], styles["99 to 99.9%"], styles["100%"]) == ("lost", "bar", "bar")


def store(**changes: Any) -> FleetStore:
    days = [FleetDay(AS_OF - number * DAY, 36_000.0, 36_000.0, 36_000.0) for number in range(7, 0, -1)]
    found = FleetStore(
        "7", "UTC", None, "up", NOW - HOUR, 252_000.0, 0.0, 252_000.0, 1.0, "100", False, None, days
    )  # fmt: skip
    return msgspec.structs.replace(found, **changes)


def test_a_store_that_is_down_says_since_when() -> None:
    incident = LastIncident(NOW - timedelta(minutes=42), None, 2520.0, began_before=False)
    row = store_row(store(state="down", last_incident=incident), NOW)
    assert (row.state, row.state_note, row.incident) == ("Down", "42 min", "ongoing")
    longer = msgspec.structs.replace(incident, start=NOW - 8 * DAY, began_before=True)
    assert store_row(store(state="down", last_incident=longer), NOW).state_note == "more than 8 days"
    closed = store_row(store(state="closed", last_incident=incident), NOW)
    assert (closed.state_note, closed.incident) == ("", "not over, 42 min")
    stale = store_row(store(state="stale", last_polled_at=NOW - 5 * HOUR, last_incident=incident), NOW)
    assert (stale.state, stale.state_note, stale.incident) == ("No data", "for 5 h", "down at its last poll")


def test_what_is_unknown_is_a_dash_and_not_100_per_cent() -> None:
    nothing = {"uptime_seconds": None, "downtime_seconds": None, "observed_seconds": None, "uptime_share": None}
    never = store_row(store(state="never_polled", band=None, days=[], last_polled_at=None, **nothing), NOW)
    assert (never.state, never.share, never.down, never.incident, never.week) == ("Never polled", "–", "–", "–", None)
    days = [msgspec.structs.replace(day, observed_seconds=0.0) for day in store().days]
    silent = store_row(store(state="stale", band="no_data", days=days, **nothing), NOW)
    assert (silent.share, silent.note, silent.down, silent.incident) == ("–", "no data", "–", "–")
    assert silent.week is not None
    assert silent.week.finding == "No data."
    assert store_row(store(band="not_open", **{**nothing, "uptime_seconds": 0.0}), NOW).note == "not open"
    assert store_row(store(band=None, **nothing), NOW).note == "not counted yet"


def test_little_observation_is_said_beside_the_share() -> None:
    assert store_row(store(observed_seconds=126_000.0), NOW).note == "50% observed"
    assert store_row(store(observed_seconds=240_000.0), NOW).note == ""


def test_an_incident_that_is_over_says_how_long_ago_it_ended_and_how_long_it_took() -> None:
    over = LastIncident(NOW - 31 * HOUR, NOW - timedelta(hours=30, minutes=22), 2280.0, began_before=False)
    row = store_row(store(last_incident=over, downtime_seconds=2280.0, misses_target=True), NOW)
    assert (row.incident, row.down, row.misses_target) == ("30 h ago, 38 min", "38 min", True)
    assert ago_words(NOW - timedelta(hours=2, minutes=5), NOW) == "2 h 5 min ago"


def test_a_strip_says_in_words_what_it_shows() -> None:
    def finding(*days: FleetDay) -> str:
        week = store_row(store(days=list(days)), NOW).week
        assert week is not None
        return week.finding

    up, down, closed, unknown = (
        FleetDay(AS_OF, *seconds) for seconds in ((3600, 3600, 3600), (3600, 1800, 3600), (0, 0, 0), (3600, 3600, 0))
    )
    assert finding(up, closed) == "Never down."
    assert finding(up, down, down) == "Down 1 h on 2 of 3 days."
    assert finding(up, down, unknown) == "Down 30 min on 1 of 3 days. No data on 1 of 3."
    assert finding(unknown, closed) == "No data."
    assert finding(closed, closed) == "Closed."


def test_without_an_incident_only_a_week_that_was_observed_has_none() -> None:
    assert store_row(store(), NOW).incident == "none in 7 days"
    first, *others = store().days
    unseen = [msgspec.structs.replace(first, observed_seconds=0.0), *others]
    assert store_row(store(days=unseen), NOW).incident == "none seen"


@pytest.mark.parametrize(
    ("kind", "number", "notices", "what", "words"),
    [
        ("status", 60, [], "polls", "60 new of 60"),
        ("deleted-polls", 3, [], "polls deleted by hand", "3 deleted"),
        ("closures", 2, [], "closures by hand", "2 now"),
        ("closures", 0, [], "closures by hand", "none left"),
        ("group", 1, ["its group is north"], "group by hand", "its group is north"),
    ],
)
def test_what_an_import_or_a_change_by_hand_did_is_said_in_words(
    kind: str, number: int, notices: list[str], what: str, words: str
) -> None:
    [line] = import_lines([Import(1, kind, "a file", "the job", NOW, NOW, number, number, [], 0, notices)])
    assert (line.kind, line.rows, line.rejected) == (what, words, "")
