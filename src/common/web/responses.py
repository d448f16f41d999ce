"""JSON responses by msgspec: structs, instants in UTC with Z and six decimals, dates, decimals as numbers."""

import re
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec
from quart import Quart, Response, request
from quart.json.provider import JSONProvider

from common.instants import format_instant

_encoder = msgspec.json.Encoder(decimal_format="number")

_SHORT_INSTANT = re.compile(rb'T\d\d:\d\d:\d\d(?:\.\d{1,5})?Z"')
"""The end of an instant that msgspec wrote with fewer than six decimals, or of a text that looks like one."""


class MsgspecJsonProvider(JSONProvider):
    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return encode_json(obj).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return msgspec.json.decode(s)


def encode_json(value: Any) -> bytes:
    """Encode a value as in every JSON response.

    msgspec leaves out the zeros at the end of a second's fraction. Only where it did so the value is encoded again,
    with instants as text: looking for it in the JSON costs less than looking at every value.
    """
    encoded = _encoder.encode(value)
    if b'Z"' in encoded and _SHORT_INSTANT.search(encoded):
        return _encoder.encode(_with_instants_as_text(value))
    return encoded


def _with_instants_as_text(value: Any) -> Any:
    """The value with every instant as text; structs become what msgspec makes of them."""
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, msgspec.Struct):
        return _struct_as_dict(value)
    if isinstance(value, dict):
        return {key: _with_instants_as_text(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_with_instants_as_text(each) for each in value]
    return value


def _struct_as_dict(struct: msgspec.Struct) -> dict[str, Any]:
    """The fields of a struct by the names of the JSON, its tag first."""
    config = struct.__struct_config__
    fields: dict[str, Any] = {config.tag_field: config.tag} if config.tag_field is not None else {}
    for field in msgspec.structs.fields(struct):
        value = getattr(struct, field.name)
        if not (config.omit_defaults and _is_default(value, field)):
            fields[field.encode_name] = _with_instants_as_text(value)
    return fields


def _is_default(value: Any, field: msgspec.structs.FieldInfo) -> bool:
    if field.default_factory is not msgspec.NODEFAULT:
        return bool(value == field.default_factory())
    return bool(value == field.default)


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A response with the JSON of a value."""
    response = Response(encode_json(value), status=status, content_type="application/json")
    if headers:
        response.headers.update(headers)
    return response


def page_link(path: str) -> str:
    """The value of the Link header to the page for people that shows the same as the JSON."""
    return f'<{quote(request.root_path + path)}>; rel="alternate"; type="text/html"'


def install(app: Quart) -> None:
    app.json = MsgspecJsonProvider(app)
