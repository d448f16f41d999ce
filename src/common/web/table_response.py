"""Routes that answer a table as JSON, CSV or XLSX, by `?format=` or else by Accept."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache, wraps
from typing import Any

import msgspec
from quart import Response, request

from common.tables import (
    CSV,
    XLSX,
    Column,
    Table,
    TooManyRowsError,
    columns_of,
    columns_of_items,
    csv_bytes,
    table_of_json,
    xlsx_bytes,
)
from common.web.errors import Invalid
from common.web.negotiation import negotiate
from common.web.openapi.document import TABLE_ATTRIBUTE

JSON = "application/json"
MEDIA_TYPES = {"json": JSON, "csv": CSV, "xlsx": XLSX}
EXTENSIONS = {CSV: "csv", XLSX: "xlsx"}

View = Callable[..., Awaitable[Response]]

_columns_of = lru_cache(columns_of)


def wanted_form() -> str:
    """The media type in which the current request wants a table: as `?format=` says, else by Accept."""
    return MEDIA_TYPES.get(request.args.get("format", "")) or negotiate(JSON, CSV, XLSX)


def table(name: str, row: type[msgspec.Struct], items: str | None = None) -> Callable[[View], View]:
    """Answer the JSON of a view as CSV or XLSX too; goes below `operation`.

    name: of the file. row: the type of an item. items: the field of the JSON with the list; by default the JSON is the
    list, or its only item. The query string needs `format`, as `TableQuery` has it.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        async def wrapper(*args: Any, **kwargs: Any) -> Response:
            form = wanted_form()
            response = await view(*args, **kwargs)
            response.headers["Vary"] = "Accept"
            if form == JSON or response.status_code != 200:
                return response
            content = msgspec.json.decode(await response.get_data(as_text=False))
            found = content[items] if items else content
            found = found if isinstance(found, list) else [found]
            made = table_of_json(name, _columns(row, found), found)
            return await rendered(made, form, {"Link": link} if (link := response.headers.get("Link")) else {})

        setattr(wrapper, TABLE_ATTRIBUTE, True)
        return wrapper

    return decorate


def _columns(row: type[msgspec.Struct], items: Sequence[Mapping[str, Any]]) -> tuple[Column, ...]:
    """The columns of the type, unless the items are of another one."""
    columns = _columns_of(row)
    known = {column.path[0] for column in columns}
    return columns if not items or set(items[0]) <= known else columns_of_items(items)


async def rendered(made: Table, form: str, headers: Mapping[str, str]) -> Response:
    """The table as CSV or XLSX, as a file to be saved. Raises Invalid when it has more rows than a workbook holds."""
    try:
        body = csv_bytes(made) if form == CSV else await asyncio.to_thread(xlsx_bytes, made)
    except TooManyRowsError as error:
        raise Invalid.field("format", f"{error}; use csv, or page with `limit`") from None
    return Response(body, content_type=content_type_of(form), headers={**file_headers(made.name, form), **headers})


def content_type_of(form: str) -> str:
    return f"{CSV}; charset=utf-8" if form == CSV else form


def file_headers(name: str, form: str) -> dict[str, str]:
    """The headers of a table that is a file to be saved."""
    return {"Vary": "Accept", "Content-Disposition": f'attachment; filename="{name}.{EXTENSIONS[form]}"'}
