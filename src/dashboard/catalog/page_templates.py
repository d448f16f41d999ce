"""The templates of the catalogue's pages, which print figures as charts do."""

from common.web.charts.number_text import count_text
from common.web.html import Templates
from dashboard.catalog.page_views.words import percent_text

templates = Templates("dashboard.catalog", count_text=count_text, percent_text=percent_text)
