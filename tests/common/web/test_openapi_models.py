"""Schemas of models: descriptions from below the fields, the format of instants, and options."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
import pytest
from pydantic import Field
from quart import Blueprint, Response
from quart_schema import document_response

from common.web import application
from common.web.input_types import Input
from common.web.openapi.document import operation
from common.web.openapi.field_descriptions import field_descriptions
from common.web.openapi.models import component, struct_schemas
from common.web.openapi.schemas import tidy


class Base(msgspec.Struct, frozen=True):
    """A base."""

    number: int
    """The number."""
    silent: int


class Derived(Base, frozen=True):
    """A derived struct."""

    begun: datetime | None = msgspec.field(name="from", default=None)
    """When it began."""
    times: list[datetime] = []
    """When it happened.

    More than once, perhaps.
    """


class Tagged(msgspec.Struct, frozen=True, tag_field="kind", tag="tagged"):
    """A struct with a tag."""

    at: datetime
    """When."""


class Other(msgspec.Struct, frozen=True, tag_field="kind", tag="other"):
    """Another struct with a tag."""

    derived: Derived
    """What it holds."""


class Part(Input):
    """A part of an input."""

    size: int
    """The size."""


class Whole(Input):
    """An input."""

    parts: list[Part] | None = None
    """The parts."""
    first: Annotated[int, Field(alias="from", description="The first one")]
    """Not this text."""


def test_the_description_of_a_field_is_the_string_below_it() -> None:
    assert field_descriptions(Derived) == {
        "number": "The number.",
        "begun": "When it began.",
        "times": "When it happened.\n\nMore than once, perhaps.",
    }


def test_a_class_without_source_has_no_descriptions() -> None:
    assert field_descriptions(msgspec.defstruct("Made", [("name", str)])) == {}


def test_a_class_inside_a_function_has_descriptions() -> None:
    class Inner(msgspec.Struct):
        name: str
        """The name."""

    assert field_descriptions(Inner) == {"name": "The name."}


def test_properties_of_structs_are_described_under_their_names_in_json() -> None:
    _, components = struct_schemas(Derived)
    properties = components["Derived"]["properties"]
    assert properties["from"]["description"] == "When it began."
    assert properties["number"]["description"] == "The number."
    assert "description" not in properties["silent"]


def test_instants_have_their_format_in_lists_and_options_too() -> None:
    _, components = struct_schemas(Derived, list[Tagged])
    assert tidy(components["Derived"]["properties"]["from"])["oneOf"] == [
        {"type": "string", "format": "date-time"},
        {"type": "null"},
    ]
    assert components["Derived"]["properties"]["times"]["items"] == {"type": "string", "format": "date-time"}
    assert components["Tagged"]["properties"]["at"]["format"] == "date-time"


def test_a_union_of_structs_is_told_apart_by_its_tag() -> None:
    (schema,), components = struct_schemas(Tagged | Other)
    assert set(tidy(schema)) == {"oneOf", "discriminator"}
    assert components["Tagged"]["properties"]["kind"]["description"] == "Always `tagged`."
    assert set(components) == {"Tagged", "Other", "Derived"}


def test_models_of_inputs_are_components_and_their_fields_are_described() -> None:
    components: dict[str, Any] = {}
    assert component(Whole, components) == {"$ref": "#/components/schemas/Whole"}
    properties = components["Whole"]["properties"]
    assert properties["parts"]["description"] == "The parts."
    assert properties["from"]["description"] == "The first one"
    assert components["Part"]["properties"]["size"]["description"] == "The size."


REFERENCE = {"$ref": "#/components/schemas/A"}
DATE = {"type": "string", "format": "date"}
NULL = {"type": "null"}
STRING, INTEGER = {"type": "string"}, {"type": "integer", "format": "int64"}


@pytest.mark.parametrize(
    ("schema", "tidied"),
    [
        ({"anyOf": [STRING, {"type": "null"}], "default": None}, {"oneOf": [STRING, {"type": "null"}]}),
        ({"anyOf": [{"type": "integer"}, STRING]}, {"oneOf": [INTEGER, STRING]}),
        ({"anyOf": [{"type": "integer"}, {"type": "number"}]}, {"type": "number"}),
        ({"anyOf": [REFERENCE, NULL]}, {"oneOf": [REFERENCE, NULL]}),
        ({"anyOf": [{"type": "array", "items": STRING}, {}]}, {"type": "array", "items": STRING}),
        ({"anyOf": [STRING, DATE]}, {"anyOf": [STRING, DATE]}),
        ({"anyOf": [{"anyOf": [INTEGER, STRING]}, {"type": "null"}]}, {"oneOf": [INTEGER, STRING, {"type": "null"}]}),
        ({"enum": ["a", "b"]}, {"enum": ["a", "b"], "type": "string"}),
        ({"enum": [1, 2]}, {"enum": [1, 2], "type": "integer", "format": "int64"}),
        ({"const": True}, {"const": True, "type": "boolean"}),
        ({"type": "number", "default": "0.99"}, {"type": "number", "default": 0.99}),
        ({"type": "string", "format": "decimal"}, {"type": "number", "format": "double"}),
        ({"properties": {"title": {"title": "Title", "type": "string"}}}, {"properties": {"title": STRING}}),
    ],
)  # fmt: skip
def test_a_schema_is_tidied(schema: dict[str, Any], tidied: dict[str, Any]) -> None:
    assert tidy(schema) == tidied
    assert tidy(tidied) == tidied


def test_an_enum_of_msgspec_has_a_type() -> None:
    (schema,), _ = struct_schemas(Literal["a", "b"])
    assert tidy(schema) == {"enum": ["a", "b"], "type": "string"}


async def test_different_models_of_one_name_are_told_apart_by_their_slices() -> None:
    app = application.create("ground", title="Ground", description="For tests", tags={})
    for name, field in (("house", "stairs"), ("garden_shed", "tools")):
        app.register_blueprint(blueprint_with_room(name, msgspec.defstruct("Room", [(field, int)])))
    document = await (await app.test_client().get("/openapi.json")).get_json()

    schemas = document["components"]["schemas"]
    assert {name: [*schemas[name]["properties"]] for name in ("Room", "GardenShedRoom")} == {
        "Room": ["stairs"],
        "GardenShedRoom": ["tools"],
    }
    bodies = [document["paths"][path]["get"]["responses"]["200"]["content"] for path in ("/house", "/garden_shed")]
    references = [body["application/json"]["schema"]["$ref"].rpartition("/")[2] for body in bodies]
    assert references == ["Room", "GardenShedRoom"]


def blueprint_with_room(name: str, room: type[msgspec.Struct]) -> Blueprint:
    blueprint = Blueprint(name, __name__)

    @blueprint.get(f"/{name}")
    @operation()
    @document_response(room)
    async def get_room() -> Response:
        """Get the room."""
        return Response()

    return blueprint
