"""Which of two rules of an HTTPRoute a request goes to: where the Gateway API leaves that to their order, order is not lost.

Gateway API, HTTPRouteRule.matches: an exact path goes before a prefix, the longer prefix before the shorter, then a method, then
more headers, then more query parameters; of what is equal in all of that the first rule in the list wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from inference_rollouts.takeover.shapes import part, parts

ROOT = {"type": "PathPrefix", "value": "/"}
EXPRESSION = "RegularExpression"


def order_decides(first: Iterable[Mapping[str, Any]], second: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a request can match both of two rules, and neither is more specific: given by their matches."""
    seconds = list(second)
    return any(_tied(one, other) for one in first for other in seconds)


def _tied(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return (
        _paths_tied({**ROOT, **part(one, "path")}, {**ROOT, **part(other, "path")})
        and one.get("method") == other.get("method")
        and _values_tied(_headers(one), _headers(other))
        and _values_tied(_params(one), _params(other))
    )


def _paths_tied(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Of two prefixes of one length, or two exact paths, a path has both only where they are equal."""
    # Where an expression stands among the others is every gateway's own affair, and so is what it matches: it may be a tie.
    if EXPRESSION in (one["type"], other["type"]):
        return True
    ends = [str(path["value"]).rstrip("/") if path["type"] == ROOT["type"] else path["value"] for path in (one, other)]
    return one["type"] == other["type"] and ends[0] == ends[1]


def _values_tied(one: Mapping[str, str | None], other: Mapping[str, str | None]) -> bool:
    """As many on both sides, and none that a request cannot have with both values; None stands for any value."""
    both = [{one[name], other[name]} for name in one.keys() & other.keys()]
    return len(one) == len(other) and all(None in values or len(values) == 1 for values in both)


def _headers(match: Mapping[str, Any]) -> dict[str, str | None]:
    return {name.lower(): value for name, value in _wanted(match, "headers")}


def _params(match: Mapping[str, Any]) -> dict[str, str | None]:
    return dict(_wanted(match, "queryParams"))


def _wanted(match: Mapping[str, Any], key: str) -> Iterable[tuple[str, str | None]]:
    """Names with their values, None for an expression; backwards, since of two with one name the first counts."""
    for item in reversed(parts(match.get(key))):
        yield str(item.get("name")), None if item.get("type") == EXPRESSION else str(item.get("value"))
