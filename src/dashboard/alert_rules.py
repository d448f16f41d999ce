"""The rules of alerts: their names in the configuration and in alerts, and in words."""

from collections.abc import Mapping
from typing import Literal, get_args

Rule = Literal[
    "store_down",
    "collector_silent",
    "feed_behind",
    "feed_cut_off",
    "job_failing",
    "price_below_mark",
    "back_in_stock",
    "audit_drift",
    "dead_message",
]
RULES: tuple[Rule, ...] = get_args(Rule)

LABELS: Mapping[str, str] = {
    "store_down": "Store down",
    "collector_silent": "No polls",
    "feed_behind": "Feed behind",
    "feed_cut_off": "Feed cut off",
    "job_failing": "Job failing",
    "price_below_mark": "Price below mark",
    "back_in_stock": "Back in stock",
    "audit_drift": "Audit found a drift",
    "dead_message": "Message given up",
}
"""What people read instead of the names of the rules."""

CATALOG_RULES: tuple[Rule, ...] = ("price_below_mark", "back_in_stock")
"""Their alerts name products and prices, which require DASHBOARD_API_TOKEN if it is set."""

OPERATIONS_RULES: tuple[Rule, ...] = ("job_failing", "dead_message")
"""Their details quote errors, which require DASHBOARD_OPERATIONS_TOKEN if it is set."""
