"""Input types of alerts."""

from typing import Annotated

from pydantic import Field

from common.web.input_types import PageQuery
from dashboard.alert_rules import Rule
from dashboard.alerts.models import State


class AlertsQuery(PageQuery):
    state: Annotated[State | None, Field(description="Only alerts in this state")] = None
    rule: Annotated[Rule | None, Field(description="Only alerts of this rule")] = None
