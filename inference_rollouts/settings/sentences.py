"""What pydantic finds, as our problems: the path, what was given, what is allowed, the nearest right word."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from inference_rollouts.errors import Problem, nearest, one_of, path_of

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


def given(value: Any) -> str:
    """A value as the operator would recognise it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "a list"
    text = str(value)
    kind = f"the number {text}" if isinstance(value, int | float) else repr(text)
    return kind if len(kind) <= 80 else f"{kind[:77]}…"


def keys_of(model: type[BaseModel]) -> list[str]:
    """The keys that a map of this model may have, as they are written."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _models_in(annotation: Any) -> tuple[list[type[BaseModel]], Any]:
    """The model behind an annotation, and the annotation of a map's values."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation], None
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        for arg in args:
            models, value = _models_in(arg)
            if models or value is not None:
                return models, value
    if origin is dict:
        return [], args[1]
    return [], None


def model_at(root: type[BaseModel], location: Sequence[str | int]) -> type[BaseModel] | None:
    """The model whose keys are allowed at a location."""
    models, value = [root], None
    for part in location:
        if models:
            field = next((f for n, f in models[0].model_fields.items() if (f.alias or n) == part), None)
            models, value = _models_in(field.annotation) if field else ([], None)
        elif value is not None:
            models, value = _models_in(value)
        else:
            return None
    return models[0] if models else None


def sentence(error: ErrorDetails, root: type[BaseModel]) -> str:
    """What is wrong, what is allowed."""
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "sentence":
        return context["text"]
    if kind == "extra_forbidden":
        word = str(error["loc"][-1])
        model = model_at(root, error["loc"][:-1])
        known = keys_of(model) if model else []
        return f"{word} is no key here{nearest(word, known)}; allowed: {one_of(known)}"
    if kind == "missing":
        return "is missing"
    if kind in WANTED:
        hint = ""
        if kind == "string_type" and isinstance(value, int | float):
            hint = (
                ': write it in quotes, as "1.30"; unquoted it is a number'
                if not isinstance(value, bool)
                else ": write it in quotes"
            )
        return f"{given(value)} is given, {WANTED[kind]} is wanted{hint}"
    if kind == "literal_error":
        allowed = str(context["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
        return f"{given(value)} is not allowed{nearest(str(value), allowed)}; allowed: {one_of(allowed)}"
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
        return f"{given(value)} is given, {bound} is wanted"
    return f"{given(value)} is not allowed: {error['msg'][0].lower()}{error['msg'][1:]}"


def problem(error: ErrorDetails, root: type[BaseModel], at: Sequence[str | int] = ()) -> Problem:
    """One pydantic error as a problem."""
    location = [part for part in error["loc"] if part != "[key]"]
    return Problem(path_of(*at, *location), sentence(error, root))
