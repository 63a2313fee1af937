"""The JSON Schema of a stack file, generated from the settings: so editors complete, explain and check.

It says what one place can say. What takes two places to judge (names that must exist, ladders, machine types) says the loader.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from inference_rollouts.settings.base import describe
from inference_rollouts.settings.load import PROJECT
from inference_rollouts.settings.model import Stack
from inference_rollouts.settings.types import DURATION

Body = dict[str, Any]
NULL: Body = {"type": "null"}


def schema() -> Body:
    """JSON Schema (2020-12) of a whole stack file. Other namespaces' keys pass; unknown keys of ours do not."""
    describe()
    generated = Stack.model_json_schema(by_alias=True, ref_template="#/$defs/{model}")
    definitions = generated.pop("$defs")
    own = {key: _key(value, nulls=False) for key, value in generated["properties"].items()}
    config = {
        "type": "object",
        "description": "Stack config",
        "properties": {**{f"{PROJECT}:{key}": value for key, value in own.items()}, **own},
        "patternProperties": {f"^(?!{PROJECT}:)[^:]+:.+$": {}},
        "additionalProperties": False,
        "allOf": [{"anyOf": [{"required": [f"{PROJECT}:{key}"]}, {"required": [key]}]} for key in generated["required"]],
    }
    of_versions = {"Version", *_reached("Version", definitions)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Stack file of inference-rollouts",
        "type": "object",
        "properties": {
            "config": config,
            "secretsprovider": {"type": "string"},
            "encryptedkey": {"type": "string"},
            "encryptionsalt": {"type": "string"},
            "environment": {},
        },
        "required": ["config"],
        "additionalProperties": False,
        "$defs": {name: _definition(body, in_version=name in of_versions) for name, body in definitions.items()},
    }


def _reached(name: str, definitions: Mapping[str, Body]) -> Iterator[str]:
    """The definitions that one uses, at any depth."""
    for other in definitions:
        if f'"#/$defs/{other}"' in json.dumps(definitions[name]):
            yield other
            yield from _reached(other, definitions)


def _definition(body: Body, *, in_version: bool) -> Body:
    """In a version null removes what `like` brings, and what it brings need not be written."""
    left_out = ("title", "required") if in_version else ("title",)
    whole = {key: value for key, value in body.items() if key not in left_out}
    return {**whole, "properties": {key: _key(value, nulls=in_version) for key, value in body.get("properties", {}).items()}}


def _key(value: Body, *, nulls: bool) -> Body:
    """One key: its meaning, and what may be written."""
    about = {key: value[key] for key in ("description", "default") if value.get(key) is not None}
    rest = {key: inner for key, inner in value.items() if key not in ("description", "default", "title")}
    choices = [_values(choice, nulls=nulls) for choice in rest.pop("anyOf", [rest])]
    if choices[0].get("pattern") == DURATION and "default" in about:
        about["default"] = f"{about['default']}s"
    if nulls and NULL not in choices:
        choices.append(NULL)
    return {**about, **choices[0]} if len(choices) == 1 else {**about, "anyOf": choices}


def _values(body: Body, *, nulls: bool) -> Body:
    """A map's values, for every key and not only for those of the right form."""
    found = dict(body)
    for pattern, values in found.pop("patternProperties", {}).items():
        found["additionalProperties"] = values
        found["propertyNames"] = {"pattern": pattern, **found.get("propertyNames", {})}
    if nulls and isinstance(found.get("additionalProperties"), dict):
        found["additionalProperties"] = {"anyOf": [found["additionalProperties"], NULL]}
    return found


def schema_text() -> str:
    """The schema as it is kept in stacks/schema.json."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
