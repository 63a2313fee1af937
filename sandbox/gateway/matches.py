"""From HTTPRouteMatch to Envoy's RouteMatch, and which match comes first (Gateway API, HTTPRouteRule.matches)."""

from __future__ import annotations

from typing import Any

from sandbox.gateway.objects import Manifest

ANY_PATH: Manifest = {"path": {"type": "PathPrefix", "value": "/"}}
Precedence = tuple[Any, ...]


def route_match(match: Manifest) -> dict[str, Any]:
    """Envoy's RouteMatch for one HTTPRouteMatch."""
    found = _path(match.get("path") or ANY_PATH["path"])
    headers = [{"name": h["name"].lower(), "string_match": _string(h)} for h in match.get("headers") or ()]
    if method := match.get("method"):
        headers.append({"name": ":method", "string_match": {"exact": method}})
    if headers:
        found["headers"] = headers
    if params := match.get("queryParams"):
        found["query_parameters"] = [{"name": p["name"], "string_match": _string(p)} for p in params]
    return found


def _path(path: Manifest) -> dict[str, Any]:
    value = path.get("value") or "/"
    match path.get("type", "PathPrefix"):
        case "Exact":
            return {"path": value}
        case "RegularExpression":
            return {"safe_regex": {"regex": value}}
    # Envoy's own prefix would take /v1x for /v1, and its path_separated_prefix takes no trailing slash.
    trimmed = value.rstrip("/")
    return {"path_separated_prefix": trimmed} if trimmed else {"prefix": "/"}


def _string(match: Manifest) -> dict[str, Any]:
    if match.get("type", "Exact") == "RegularExpression":
        return {"safe_regex": {"regex": match["value"]}}
    return {"exact": match["value"]}


def precedence(match: Manifest) -> Precedence:
    """Sorts the match that wins first: exact path, longest path, method, most headers, most query parameters."""
    path = match.get("path") or ANY_PATH["path"]
    rank = ("Exact", "RegularExpression", "PathPrefix").index(path.get("type", "PathPrefix"))
    counts = (len(match.get("headers") or ()), len(match.get("queryParams") or ()))
    return (rank, -len(path.get("value") or "/"), not match.get("method"), *(-count for count in counts))
