"""Manifest files to objects: several documents, lists, JSON, and the mistakes that can be read in spite of themselves.

YAML as kubectl reads it (1.1), but for dates, which stay text. Any bytes are taken: the outcome is objects and findings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from inference_rollouts.takeover import words
from inference_rollouts.takeover.findings import Finding
from inference_rollouts.takeover.inventory import Existing, existing
from inference_rollouts.takeover.kinds import near_kind

MAX_BYTES = 50_000_000
MAX_VALUES = 3_000_000
"""What aliases may unfold to."""

MAX_DEPTH = 100
BACKTICKS = re.compile(r"^(?P<key>\s*(?:- +)?[\w./\"'-]+:\s+)`(?P<value>[^`\n]*)`(?P<rest>\s*(?:#.*)?)$", re.MULTILINE)


_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The parser in C where there is one: a dump of a namespace is some megabytes."""


class _Loader(_Safe):
    """SafeLoader that leaves dates as text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(data: bytes, file: str, namespace: str) -> tuple[list[Existing], list[Finding]]:
    """The objects of one file.

    Args:
        data: its bytes.
        file: its name, for findings.
        namespace: of objects that name none.
    """
    findings: list[Finding] = []
    found: list[Existing] = []
    try:
        text = _without_backticks(_decoded(data), file, findings)
        for node, document in _documents(text):
            lines = _lines_of_items(node)
            for i, raw in enumerate(_objects(document)):
                found += _one(raw, namespace, file, lines[min(i, len(lines) - 1)], findings)
    except _UnreadableError as e:
        findings.append(Finding("cannot", str(e), file, e.line))
    return found, findings


class _UnreadableError(Exception):
    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def _decoded(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise _UnreadableError(words.too_large(MAX_BYTES))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise _UnreadableError(words.no_text(), data[: e.start].count(b"\n") + 1) from None


def _without_backticks(text: str, file: str, findings: list[Finding]) -> str:
    """A value in backticks is no YAML; taken out where that is all there is to it."""
    for found in BACKTICKS.finditer(text):
        line = text[: found.start()].count("\n") + 1
        findings.append(Finding("assumed", words.backticks(found["value"]), file, line, path=found["key"].strip(" -:\t")))
    return BACKTICKS.sub(r"\g<key>\g<value>\g<rest>", text)


def _documents(text: str) -> Iterator[tuple[yaml.Node, Any]]:
    try:
        # The parser in Python looks at the characters as soon as it is made, the one in C later.
        yield from _constructed(_Loader(text))
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        raise _UnreadableError(words.no_yaml(str(e.problem or e.context)), mark.line + 1 if mark else 0) from None
    except (yaml.YAMLError, ValueError) as e:
        raise _UnreadableError(words.no_yaml(" ".join(str(e).split())[:200])) from None
    except RecursionError:
        raise _UnreadableError(words.too_deep(MAX_DEPTH)) from None


def _constructed(loader: _Loader) -> Iterator[tuple[yaml.Node, Any]]:
    try:
        while loader.check_node():
            node = loader.get_node()
            assert node is not None, "check_node has seen one"
            document = loader.construct_document(node)
            _bounded(document)
            yield node, document
    finally:
        loader.dispose()


def _lines_of_items(node: yaml.Node) -> list[int]:
    """The line of the document, or of each item of a list."""
    items = node.value if isinstance(node, yaml.SequenceNode) else []
    if isinstance(node, yaml.MappingNode):
        parts = {key.value: value for key, value in node.value}
        is_list = "kind" in parts and str(parts["kind"].value).endswith("List")
        items = parts["items"].value if is_list and isinstance(parts.get("items"), yaml.SequenceNode) else []
    return [item.start_mark.line + 1 for item in items] or [node.start_mark.line + 1]


def _bounded(document: Any) -> None:
    """Refuse what aliases make endless."""
    left, queue = MAX_VALUES, [(document, 0)]
    while queue:
        value, depth = queue.pop()
        left -= 1
        if depth > MAX_DEPTH:
            raise _UnreadableError(words.too_deep(MAX_DEPTH))
        if left < 0:
            raise _UnreadableError(words.too_many(MAX_VALUES))
        if isinstance(value, Mapping):
            queue += [(inner, depth + 1) for inner in value.values()]
        elif isinstance(value, list):
            queue += [(inner, depth + 1) for inner in value]


def _objects(document: Any) -> Iterator[Any]:
    """The object, or those of a list (kind List, HTTPRouteList, …, or a plain list)."""
    if document is None:
        return
    if isinstance(document, list):
        for item in document:
            yield from _objects(item)
    elif isinstance(document, Mapping) and str(document.get("kind")).endswith("List") and isinstance(document.get("items"), list):
        version, kind = document.get("apiVersion"), str(document.get("kind", "")).removesuffix("List")
        for item in document["items"]:
            # Lists of the API server leave out what is the same for all their items.
            yield from _objects({"apiVersion": version, "kind": kind, **item} if isinstance(item, Mapping) else item)
    else:
        yield document


def _one(raw: Any, namespace: str, file: str, line: int, findings: list[Finding]) -> Iterator[Existing]:
    if not isinstance(raw, Mapping) or not all(isinstance(key, str) for key in raw):
        findings.append(Finding("cannot", words.no_object(), file, line))
        return
    meta = raw.get("metadata")
    name = meta.get("name") if isinstance(meta, Mapping) else None
    lacking = [key for key in ("apiVersion", "kind") if not isinstance(raw.get(key), str) or not raw[key]]
    if lacking or not isinstance(name, str):
        lacking += [] if isinstance(name, str) else ["metadata.name"]
        findings.append(Finding("cannot", words.incomplete(lacking), file, line))
        return
    found = existing(raw, namespace, file, line)
    if near := near_kind(raw["apiVersion"], found.kind):
        findings.append(found.says("cannot", words.near_kind(found.kind, found.group, near)))
        return
    yield found
