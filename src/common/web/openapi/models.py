"""Schemas of the models of requests and responses, with the descriptions of their fields."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

import msgspec
import pydantic
from msgspec import inspect

from common.web.openapi.field_descriptions import field_descriptions
from common.web.openapi.schemas import REFERENCE, Schema


def component(model: Any, components: Schema) -> Schema:
    """The schema of a model; those that it refers to are added to the components."""
    if isinstance(model, type) and issubclass(model, pydantic.BaseModel):
        schema = model.model_json_schema(ref_template=REFERENCE + "{model}")
        components |= schema.pop("$defs", {})
        components[model.__name__] = schema
        for each in _models_in(model):
            _describe(components[each.__name__], each, {name: _alias(each, name) for name in each.model_fields})
        return {"$ref": REFERENCE + model.__name__}
    (schema,), found = struct_schemas(model)
    components |= found
    return schema


def struct_schemas(*models: Any) -> tuple[Sequence[Schema], Schema]:
    """The schemas of msgspec's types, and the components that they refer to."""
    schemas, components = msgspec.json.schema_components(models, ref_template=REFERENCE + "{name}")
    for struct in _structs_in(inspect.multi_type_info(models)):
        schema = components[struct.cls.__name__]
        for field in struct.fields:
            _mark_instants(field.type, schema["properties"][field.encode_name])
        _describe(schema, struct.cls, {field.name: field.encode_name for field in struct.fields})
        if struct.tag_field is not None:
            schema["properties"][struct.tag_field].setdefault("description", f"Always `{struct.tag}`.")
    return schemas, components


def media_content(schemas: Mapping[str, Any], components: Schema) -> Schema:
    """Content objects of media types; a model, or the model under `items`, becomes a reference to its component."""
    content: Schema = {}
    for name, given in schemas.items():
        if not isinstance(given, dict):
            schema = component(given, components)
        elif not isinstance(given.get("items", {}), dict):
            schema = {**given, "items": component(given["items"], components)}
        else:
            schema = given
        content[name] = {"schema": schema}
    return content


def _describe(schema: Schema, model: type, names: Mapping[str, str]) -> None:
    """Add the descriptions of the fields, unless they have one. names: of the properties, by those of the fields."""
    descriptions = field_descriptions(model)
    for name, property_name in names.items():
        if name in descriptions:
            schema["properties"][property_name].setdefault("description", descriptions[name])


def _models_in(model: type[pydantic.BaseModel]) -> Iterator[type[pydantic.BaseModel]]:
    """A pydantic model, and the models of its fields."""
    yield model
    for info in model.model_fields.values():
        for each in _types_in(info.annotation):
            if isinstance(each, type) and issubclass(each, pydantic.BaseModel):
                yield from _models_in(each)


def _types_in(annotation: Any) -> Iterator[Any]:
    """A type, and its arguments."""
    yield annotation
    for argument in get_args(annotation):
        yield from _types_in(argument)


def _alias(model: type[pydantic.BaseModel], name: str) -> str:
    return model.model_fields[name].alias or name


def _structs_in(types: Sequence[inspect.Type]) -> Iterator[inspect.StructType]:
    """The structs among the types, and in their fields, items and options; each once."""
    found: dict[type, inspect.StructType] = {}
    waiting = list(types)
    while waiting:
        each = waiting.pop()
        if isinstance(each, inspect.StructType):
            if each.cls not in found:
                found[each.cls] = each
                waiting += [field.type for field in each.fields]
        elif isinstance(each, inspect.Metadata):
            waiting.append(each.type)
        elif isinstance(each, inspect.CollectionType):
            waiting.append(each.item_type)
        elif isinstance(each, inspect.DictType):
            waiting.append(each.value_type)
        elif isinstance(each, inspect.UnionType):
            waiting += each.types
    yield from found.values()


def _mark_instants(kind: inspect.Type, schema: Schema) -> None:
    """Add the format of an instant, which msgspec leaves out unless the type requires an offset."""
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.DateTimeType):
        schema["format"] = "date-time"
    elif isinstance(kind, inspect.CollectionType):
        _mark_instants(kind.item_type, schema["items"])
    elif isinstance(kind, inspect.UnionType) and not any(isinstance(each, inspect.StrType) for each in kind.types):
        for option in schema["anyOf"]:
            if option == {"type": "string"} and any(isinstance(each, inspect.DateTimeType) for each in kind.types):
                option["format"] = "date-time"
