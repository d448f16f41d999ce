"""The templates of the catalogue's pages, which print figures as charts do."""

from common.web.charts.number_text import count_text, signed_text
from common.web.html import Templates

templates = Templates("dashboard.catalog", count_text=count_text, signed_text=signed_text)
