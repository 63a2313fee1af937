"""Keeps what is generated from the settings equal to them: `--write` makes the files, `--check` fails when one differs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from inference_rollouts.settings.model import Stack
from inference_rollouts.settings.schema import schema, schema_text
from inference_rollouts.settings.sentences import model_at

HEAD = """\
# Settings

Every key of a stack file under `config:`, generated from the settings (`make generate`). Keys without a default that are
marked *required* must be given; where a key says "derived" or names a default, leaving it out is the usual thing. `<name>`
stands for a name of your own, `[]` for each item of a list.
`stacks/schema.json` holds the same for editors.

| key | value | meaning |
|---|---|---|
"""


KINDS = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "true or false",
    "array": "list",
    "object": "map",
}
"""JSON Schema's types, as a reader says them."""


def settings_table() -> str:
    """docs/settings.md: one row a key, in the order of the models."""
    return HEAD + "".join(f"| `{path}` | {value} | {meaning} |\n" for path, value, meaning in _rows(Stack, "", ()))


def _rows(model: Any, prefix: str, seen: tuple[Any, ...]) -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        key = field.alias or name
        path = f"{prefix}{key}"
        yield path, _value(model, name, field), (field.description or "").replace("\n", " ").replace("|", "\\|")
        suffix, inner = _inside(model, key)
        if inner is not None and inner not in seen:
            yield from _rows(inner, f"{path}{suffix}.", (*seen, inner))


def _inside(model: Any, key: str) -> tuple[str, Any]:
    """How a path goes on into a key's value, and the model there: the value's own, that of a map's values or a list's items."""
    places = (("", (key,)), (".<name>", (key, "<name>")), ("[]", (key, 0)))
    return next(((suffix, inner) for suffix, location in places if (inner := model_at(model, location))), ("", None))


def _value(model: Any, name: str, field: FieldInfo) -> str:
    whole = schema()
    of_model = whole["properties"]["config"] if model is Stack else whole["$defs"][model.__name__]
    body = of_model["properties"][field.alias or name]
    required = " (required)" if field.is_required() else ""
    return _kind(body) + required


def _kind(body: dict[str, Any]) -> str:
    """A JSON Schema as a short phrase."""
    if "enum" in body:
        return " \\| ".join(f"`{word}`" for word in body["enum"])
    if "const" in body:
        return f"`{body['const']}`"
    if "anyOf" in body:
        kinds = [_kind(part) for part in body["anyOf"] if part.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if body.get("pattern", "").endswith("[smh]$"):
        return 'duration, as "300s"'
    return "map" if "$ref" in body else KINDS[body["type"]]


FILES = {Path("stacks/schema.json"): schema_text, Path("docs/settings.md"): settings_table}


def main(argument: str) -> int:
    """Exit code: 0 when the files are as they should be, else 1."""
    stale = [file for file, text in FILES.items() if not file.is_file() or file.read_text("utf-8") != text()]
    if argument == "--write":
        for file, text in FILES.items():
            file.write_text(text(), "utf-8")
        return 0
    for file in stale:
        sys.stderr.write(f"{file} is not what the settings say; run: make generate\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "--check"))
