"""Query strings of the store files."""

from typing import Annotated

from pydantic import Field

from common.web.input_types import Input, QueryInstant


class StatusQuery(Input):
    since: Annotated[QueryInstant | None, Field(description="Only polls made at this instant or later")] = None
