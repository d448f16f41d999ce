"""The bodies of calendar links and calendar sources."""

from typing import Annotated, Any

from pydantic import Field

from common.web.input_types import Input, Name
from provider.stays.inputs.fields import PROPERTY_ID

SourceName = Annotated[
    str, Field(pattern=rf"^{PROPERTY_ID.pattern}$", description="Name of a calendar source of the property")
]


def _source_example(schema: dict[str, Any]) -> None:
    schema["examples"] = ["harbour-rentals"]


class CalendarLinkInput(Input):
    """A new address for the calendar of a property."""

    name: Annotated[
        Name | None, Field(description="A name for the link, such as that of the site that will read it")
    ] = None
    without_source: Annotated[SourceName | None, Field(json_schema_extra=_source_example)] = None
    """The calendar source of the site that will read the calendar: it leaves out the nights that this source holds.
    Otherwise a site that sends back what it reads would hold such nights for ever."""


class CalendarSourceInput(Input):
    """The address of a calendar of another site."""

    url: Annotated[str, Field(min_length=1, max_length=2000, examples=["https://calendars.example.org/42.ics"])]
    """Address of an iCalendar file, with scheme https or http, on a host that the operator allows."""
