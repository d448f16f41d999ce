"""The templates of the pages, which print figures as charts do."""

from common.web.charts.number_text import count_text, signed_text
from common.web.html import Templates
from common.web.words import counted
from dashboard.board.page_views.words import date_text, hotel_name, long_night, percent_text, short_night

templates = Templates(
    "dashboard.board",
    count_text=count_text,
    signed_text=signed_text,
    counted=counted,
    hotel_name=hotel_name,
    short_night=short_night,
    long_night=long_night,
    date_text=date_text,
    percent_text=percent_text,
)
