"""The media type of a response: what the Accept header wants most, JSON on a tie, 406 where nothing fits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.web.negotiation import preferred

JSON, CSV, NDJSON = "application/json", "text/csv", "application/x-ndjson"
OFFERED = (JSON, NDJSON, CSV)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("*/*", JSON),
        ("text/csv", CSV),
        ("application/json, text/csv", JSON),
        ("text/csv, application/json", JSON),
        ("text/csv, application/json;q=0.9", CSV),
        ("application/json;q=0.5, text/*;q=0.6", CSV),
        ("text/*", CSV),
        ("application/*", JSON),
        ("application/x-ndjson, application/json;q=0.9", NDJSON),
        ("Text/CSV; charset=utf-8", CSV),
        ("application/json; charset=utf-8", JSON),
        ("text/csv;q=0, */*", JSON),
        ("application/json;q=0, */*;q=0.1", NDJSON),
        ("application/*;q=0.2, application/json;q=0, text/csv;q=0.1", NDJSON),
        ("text/html, image/gif, *; q=.2, */*; q=.2", JSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON),
        ("text/csv;q=1.5, application/json;q=0.1", JSON),
        ('text/csv;note="a,b";q=0.9, application/json;q=.8', CSV),
        ('application/json;profile="a,b;q=0", text/csv;q=0.1', JSON),
        ('text/csv;a="\\";q=0";q=0.9, application/json;q=0.5', CSV),
        ('"", text/csv', CSV),
        ('", text/csv', None),
        (";, ;;q=1, text/csv", CSV),
        ("text/csv;q=0.001", CSV),
        ("application/xml", None),
        ("text/html", None),
        ("image/*, text/plain", None),
        ("*/*;q=0", None),
        ("application/json;q=0", None),
        ("json", None),
        ("text", None),
        ("/", None),
        (", ,", None),
    ],
)
def test_the_accept_header_decides(accept: str, chosen: str | None) -> None:
    assert preferred(accept, OFFERED, JSON) == chosen


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("*/*", CSV),
        ("text/html,application/xhtml+xml,*/*;q=0.8", CSV),
        ("application/json, text/csv, */*", JSON),
        ("application/json, text/plain, */*", JSON),
        ("application/json;q=0.1, */*", CSV),
        ("*/*, text/csv;q=0", JSON),
        ("application/*", JSON),
    ],
)
def test_a_default_counts_only_where_no_type_is_named(accept: str, chosen: str) -> None:
    assert preferred(accept, (JSON, CSV), CSV) == chosen


RANGES = st.sampled_from([JSON, CSV, "text/*", "*/*", "application/*", "text/html", "*", "text/csv;header=present"])
QUALITIES = st.sampled_from(["", ";q=0", ";q=0.5", ";q=1", ";q=0.000", ";q=1.000", ";q=x", "; q=.3"])


@given(st.lists(st.tuples(RANGES, QUALITIES), min_size=1, max_size=5))
def test_what_is_chosen_does_not_depend_on_the_order_of_the_header(parts: list[tuple[str, str]]) -> None:
    header = ", ".join(name + quality for name, quality in parts)
    turned = ", ".join(name + quality for name, quality in reversed(parts))
    assert preferred(header, OFFERED, JSON) == preferred(turned, OFFERED, JSON)


@given(st.text(st.characters(codec="latin-1"), max_size=60))
def test_no_header_is_an_error(accept: str) -> None:
    assert preferred(accept, OFFERED, JSON) in (*OFFERED, None)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("accept", ["a;" + '\\"' * 150_000, "a;" + '"' * 300_001, "a;" + '"\\' * 150_000])
def test_a_long_hostile_header_is_read_in_linear_time(accept: str) -> None:
    """Quadratic time would exceed the time limit of this test by far."""
    assert preferred(accept, ("text/csv", "application/json"), "text/csv") is None
