"""The templates of the pages, which print figures as charts do."""

from common.web.charts.number_text import count_text, signed_text
from common.web.html import Templates

templates = Templates("dashboard.board", count_text=count_text, signed_text=signed_text)
