"""JSON responses by msgspec: structs, instants in UTC with Z, dates, decimals as numbers."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from quart import Quart, Response
from quart.json.provider import JSONProvider

_encoder = msgspec.json.Encoder(decimal_format="number")


class MsgspecJsonProvider(JSONProvider):
    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return _encoder.encode(obj).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return msgspec.json.decode(s)


def encode_json(value: Any) -> bytes:
    """Encode a value as in every JSON response."""
    return _encoder.encode(value)


def format_instant(instant: datetime) -> str:
    """An instant in RFC 3339 format, in UTC with Z, as in JSON responses."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A response with the JSON of a value."""
    response = Response(_encoder.encode(value), status=status, content_type="application/json")
    if headers:
        response.headers.update(headers)
    return response


def install(app: Quart) -> None:
    app.json = MsgspecJsonProvider(app)
