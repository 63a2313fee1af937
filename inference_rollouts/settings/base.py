"""What all settings have in common."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Iterator
from itertools import pairwise
from types import ModuleType

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Settings(BaseModel):
    """Base of all settings: frozen, camelCase keys, no unknown keys, no silent conversion."""

    # Start-up: only what is asked is built. `use_attribute_docstrings` would read all the source at every start, see `describe`.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel, defer_build=True)


@functools.cache
def describe() -> None:
    """Give every field the text beneath it as its description; for those who show it: schema, reference, and error messages."""
    models = list(_subclasses(Settings))
    for model in models:
        for owner in reversed(model.__mro__):
            if not issubclass(owner, Settings):
                continue
            for name, text in _texts(inspect.getmodule(owner)).get(owner.__name__, {}).items():
                model.model_fields[name].description = text
    for model in models:
        model.model_rebuild(force=True)


def _subclasses(model: type[Settings]) -> Iterator[type[Settings]]:
    for inner in model.__subclasses__():
        yield inner
        yield from _subclasses(inner)


@functools.cache
def _texts(module: ModuleType | None) -> dict[str, dict[str, str]]:
    """The text beneath each annotated name of each class of a module."""
    if module is None:
        return {}
    classes = [node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.ClassDef)]
    return {node.name: dict(_beneath(node.body)) for node in classes}


def _beneath(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, after in pairwise(body):
        text = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else None
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, str):
            yield field.target.id, inspect.cleandoc(text)
