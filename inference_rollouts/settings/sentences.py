"""What pydantic finds, as our sentences: what was given, what is allowed, the nearest right word."""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from inference_rollouts.errors import allowed, nearest_word, one_of, shown
from inference_rollouts.settings.base import describe
from inference_rollouts.settings.types import Written, percent_sign

WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "dict_type": "a map",
    "model_type": "a map",
    "model_attributes_type": "a map",
    "tuple_type": "a list",
    "list_type": "a list",
}


def keys_of(model: type[BaseModel]) -> list[str]:
    """The keys that a map of this model may have, as they are written."""
    return [field.alias or name for name, field in model.model_fields.items()]


def field_at(root: type[BaseModel], location: Sequence[str | int]) -> FieldInfo | None:
    """The field that a location names; None where it is no key of a model."""
    model = model_at(root, location[:-1]) if location else None
    fields = model.model_fields if model else {}
    return next((f for name, f in fields.items() if (f.alias or name) == location[-1]), None)


def model_at(root: type[BaseModel], location: Sequence[str | int]) -> type[BaseModel] | None:
    """The model whose keys are allowed at a location."""
    found: Any = root
    for part in location:
        found = _inside(_plain(found), part)
    found = _plain(found)
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def _inside(annotation: Any, part: str | int) -> Any:
    """The annotation of a key, of a map's values or of a list's items; None where there is no such thing."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return next((f.annotation for name, f in annotation.model_fields.items() if (f.alias or name) == part), None)
    if get_origin(annotation) is dict:
        return get_args(annotation)[1]
    return get_args(annotation)[0] if get_origin(annotation) is tuple and isinstance(part, int) else None


def _plain(annotation: Any) -> Any:
    """An annotation without what surrounds it: None in a union, metadata, and `Written` around a model."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return next((data.model for data in args[1:] if isinstance(data, Written)), None) or _plain(args[0])
    if origin in (Union, types.UnionType):
        return _plain(next(arg for arg in args if arg is not type(None)))
    return annotation


def meant(error: ErrorDetails, root: type[BaseModel]) -> list[str]:
    """The keys that an unknown key may mean: one of that name a level below, or the nearest here."""
    model = model_at(root, error["loc"][:-1]) if error["type"] == "extra_forbidden" else None
    if model is None:
        return []
    word = str(error["loc"][-1])
    deeper = [f"{key}.{word}" for key in keys_of(model) if (inner := model_at(model, (key,))) and word in keys_of(inner)]
    near = nearest_word(word, keys_of(model))
    return deeper or ([near] if near else [])


def sentence(error: ErrorDetails, root: type[BaseModel]) -> str:
    """What is wrong, what is allowed, what to do."""
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if value is None and kind != "extra_forbidden":
        field = field_at(root, error["loc"])
        needed = field is not None and field.is_required()
        return f"is empty: {about(field)}" if needed else "is empty; give it a value, or take it out"
    if (model := model_at(root, error["loc"])) and WANTED.get(kind) == "a map":
        return map_wanted(value, model)
    if kind in WANTED:
        return f"{shown(value)} is given, {WANTED[kind]} is wanted{_remedy(value, WANTED[kind])}"
    match kind:
        case "sentence":
            return context["text"]
        case "extra_forbidden":
            return _unknown(error, root)
        case "missing":
            return f"is missing: {about(field_at(root, error['loc']))}"
        case "literal_error":
            words = str(context["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
            hint = allowed(value, words) if isinstance(value, str) else f"; allowed: {one_of(words)}"
            return f"{shown(value)} is not allowed{hint}"
        case "greater_than_equal":
            return f"{shown(value)} is too small; the least is {context['ge']}"
        case "less_than_equal":
            return f"{shown(value)} is too large; the most is {context['le']}"
        case _:
            return f"{shown(value)} is not allowed: {error['msg'][0].lower()}{error['msg'][1:]}"


def map_wanted(value: Any, model: type[BaseModel]) -> str:
    """A sentence about what should be a map of a model."""
    return f"{shown(value)} is given, a map is wanted; its keys: {', '.join(keys_of(model))}"


def about(field: FieldInfo | None) -> str:
    """The first clause of a key's description."""
    describe()
    text = (field.description if field else None) or "a value is wanted"
    first = text.replace("\n", " ").split(". ")[0].split(" (")[0].rstrip(".")
    return f"{first[0].lower()}{first[1:]}" if first[1:2].islower() else first


def _unknown(error: ErrorDetails, root: type[BaseModel]) -> str:
    deeper = [key for key in meant(error, root) if "." in key]
    if deeper:
        return f"is no key here; did you mean {one_of(deeper)}?"
    model = model_at(root, error["loc"][:-1])
    return f"is no key here{allowed(str(error['loc'][-1]), keys_of(model) if model else ())}"


def _remedy(value: Any, wanted: str) -> str:
    """What to write instead, where the value shows it."""
    if wanted == "text" and isinstance(value, bool | int | float):
        return f': put it in quotes, "{shown(value)}"'
    if not isinstance(value, str):
        return ""
    if wanted == "a whole number" and (number := percent_sign(value)):
        return f": leave the % off, {number}"
    if (wanted == "a whole number" and value.isascii() and value.isdigit()) or (
        wanted == "true or false" and value in ("true", "false")
    ):
        return f": take the quotes off, {shown(value)[1:-1]}"
    if wanted == "a list" and value and not set(value) & set("[]{},#:\"' "):
        return f": put it in brackets, [{shown(value)[1:-1]}]"
    return ""
