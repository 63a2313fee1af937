"""YAML text as nodes that know the exact place of their own characters, aliases included.

Only what an edit needs: where a value, a key or a block begins and ends. What a file means is read by `settings` alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml import events as yaml_events

PROPERTIES = re.compile(r"(?:[&!]\S*(?:\s+|$))*")
"""Anchor and tag before a node's own characters."""


@dataclass(eq=False)
class Node:
    """A scalar, a list, a map or an alias, as it is written.

    Attributes:
        start, end: index of its first character, after anchor and tag, and of the one after its last. A block map or list
            ends where its last value ends, a block scalar with its last line's break.
        style: of a scalar: None for plain, else one of `'`, `"`, `|`, `>`; of a map or list `{` for flow, None for block.
        text: of a scalar its value; of an alias the anchor's name.
        anchor: name of the anchor on it, None without.
        items: of a list.
        pairs: of a map, in order, `<<` included.
        target: of an alias, the node that it names.
    """

    kind: Literal["scalar", "list", "map", "alias"]
    start: int
    end: int
    style: str | None = None
    text: str = ""
    anchor: str | None = None
    items: list[Node] = field(default_factory=list)
    pairs: list[tuple[Node, Node]] = field(default_factory=list)
    target: Node | None = None

    @property
    def flow(self) -> bool:
        """Whether a map or list is written in braces or brackets."""
        return self.style == "{"

    def value_of(self, key: str) -> tuple[Node, Node] | None:
        """The pair of a map's own key, without what it merges."""
        return next((pair for pair in self.pairs if pair[0].kind == "scalar" and pair[0].text == key), None)

    def merged(self) -> Iterator[Node]:
        """The maps that `<<` merges into this one."""
        for key, value in self.pairs:
            if (key.text, key.style) == ("<<", None):
                for source in value.items if value.kind == "list" else [value]:
                    yield source.target or source

    def walk(self) -> Iterator[Node]:
        """This node and all that is written inside it."""
        yield self
        for inner in [*self.items, *(node for pair in self.pairs for node in pair)]:
            yield from inner.walk()


def compose(text: str) -> Node | None:
    """The nodes of a text that `settings` could read; None for an empty one."""
    composer = _Composer(text)
    for event in YAML(typ="safe", pure=True).parse(text):
        composer.take(event)
    return composer.root


class _Composer:
    """Events to nodes."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.root: Node | None = None
        self.anchors: dict[str, Node] = {}
        self.open: list[Node] = []
        self.keys: list[Node | None] = []

    def take(self, event: Any) -> None:
        """One event."""
        match event:
            case yaml_events.AliasEvent():
                name = str(event.anchor)
                self._add(Node("alias", *_span(event), text=name, target=self.anchors.get(name)))
            case yaml_events.ScalarEvent():
                self._add(self._node("scalar", event, style=event.style or None, text=str(event.value)))
            case yaml_events.SequenceStartEvent() | yaml_events.MappingStartEvent():
                kind = "list" if isinstance(event, yaml_events.SequenceStartEvent) else "map"
                node = self._node(kind, event, style="{" if event.flow_style else None)
                self._add(node)
                self.open.append(node)
                self.keys.append(None)
            case yaml_events.SequenceEndEvent() | yaml_events.MappingEndEvent():
                self._close(event.end_mark.index)

    def _node(self, kind: Any, event: Any, **more: Any) -> Node:
        start, end = _span(event)
        anchor = str(event.anchor) if event.anchor else None
        # A null without characters of its own has nothing after its properties, and may have none.
        found = PROPERTIES.match(self.text, start, max(end, start)) if anchor or event.tag else None
        start = min(found.end(), end) if found and found.end() > start else start
        node = Node(kind, start, end, anchor=anchor, **more)
        if anchor:
            self.anchors[anchor] = node
        return node

    def _add(self, node: Node) -> None:
        if not self.open:
            self.root = node
        elif self.open[-1].kind == "list":
            self.open[-1].items.append(node)
        elif self.keys[-1] is None:
            self.keys[-1] = node
        else:
            self.open[-1].pairs.append((self.keys[-1], node))
            self.keys[-1] = None

    def _close(self, end: int) -> None:
        node = self.open.pop()
        self.keys.pop()
        inside = [*node.items, *(inner for pair in node.pairs for inner in pair)]
        # A block ends at the next token, which is too far: comments and blank lines stand between.
        node.end = end if node.flow or not inside else max(inner.end for inner in inside)


def _span(event: Any) -> tuple[int, int]:
    return event.start_mark.index, event.end_mark.index
