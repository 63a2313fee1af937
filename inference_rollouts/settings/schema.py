"""The JSON Schema of a stack file, generated from the settings: so editors complete, explain and check."""

from __future__ import annotations

import json
from typing import Any

from inference_rollouts.settings.load import PROJECT
from inference_rollouts.settings.model import Stack


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a whole stack file. Other namespaces' keys pass; unknown keys of ours do not."""
    generated = Stack.model_json_schema(by_alias=True, ref_template="#/$defs/{model}")
    definitions = generated.pop("$defs")
    own = generated["properties"]
    named = {f"{PROJECT}:{key}": value for key, value in own.items()}
    config = {
        "type": "object",
        "description": "Stack config",
        "properties": {**named, **own},
        "patternProperties": {f"^(?!{PROJECT}:)[^:]+:.+$": {}},
        "additionalProperties": False,
        "allOf": [{"anyOf": [{"required": [f"{PROJECT}:{key}"]}, {"required": [key]}]} for key in own],
    }
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
        "$defs": {name: _with_null(name, body) for name, body in definitions.items()},
    }


def _with_null(name: str, body: dict[str, Any]) -> dict[str, Any]:
    """In a version null removes what `like` brings, so every key of it, at any depth, may be null."""
    if name in ("Version", "Nodes", "Server", "EndpointPicker", "Autoscaling", "Lora", "TokenSecret") and "properties" in body:
        body = {**body, "properties": {key: _or_null(value) for key, value in body["properties"].items()}}
        body.pop("required", None)
    return body


def _or_null(value: dict[str, Any]) -> dict[str, Any]:
    if value.get("type") == "null" or {"type": "null"} in value.get("anyOf", ()):
        return value
    about = {key: value[key] for key in ("description", "title", "default") if key in value}
    return {**about, "anyOf": [{k: v for k, v in value.items() if k not in about}, {"type": "null"}]}


def schema_text() -> str:
    """The schema as it is kept in stacks/schema.json."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
