"""The test rule of a live HTTPRoute: whether it pins the header to the canary, and which requests get to it. Pure.

Which rule takes a request follows the Gateway API (HTTPRouteRule.matches): exact path, longest path, method, most headers, most
query parameters, first in the list. Regular expressions are each gateway's own; they count after exact paths, as Envoy has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlencode

from inference_rollouts.checks import Finding
from inference_rollouts.manifests.route import ANY_PATH, TestHeader

Endpoint = Literal["chat", "completion", "models"]

ENDPOINTS: Mapping[Endpoint, tuple[str, str]] = {
    "chat": ("POST", "/v1/chat/completions"),
    "completion": ("POST", "/v1/completions"),
    "models": ("GET", "/v1/models"),
}
"""Method and path of the OpenAI API."""

Rule = Mapping[str, Any]


@dataclass(frozen=True)
class Way:
    """A request line and headers that the test rule asks for.

    Attributes:
        method, path: without the query.
        headers, params: all that the match wants.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{urlencode(self.params)}" if self.params else self.path


# --- the rule ---------------------------------------------------------------------------------------------------------


def pinned(route: Mapping[str, Any], test: TestHeader, at: str) -> tuple[Rule | None, Finding]:
    """The rule that pins the header to the canary's pool, and the finding on it.

    Args:
        route: the live HTTPRoute.
        test: the header and the pool, as in the plan.
        at: the route's place.
    """
    header, pool = f"{test.name}: {test.value}", test.backend.pool
    wanted = f"a rule that sends {header} to InferencePool {pool} alone"
    about = [rule for rule in _rules(route) if _is_about(rule, test)]
    found = next((rule for rule in about if _backends(rule) == {pool: test.backend.weight}), None)
    generation = route["metadata"].get("generation")
    if found:
        return found, Finding(
            "test rule", "pass", f"{header} goes to InferencePool {pool} alone, generation {generation}", wanted, at
        )
    advice = "deploy the stack file first (pulumi up): the rule comes with rollout.test"
    seen = f"a rule that sends it to {_listed(about[0])}" if about else "no rule for that header"
    return None, Finding("test rule", "fail", f"{seen}, generation {generation}", wanted, at, advice)


def _rules(route: Mapping[str, Any]) -> Sequence[Rule]:
    return (route.get("spec") or {}).get("rules") or ()


def _is_about(rule: Rule, test: TestHeader) -> bool:
    """Whether all its matches ask for the header, and not one of them for anything else in it."""
    matches = rule.get("matches") or ()
    return bool(matches) and all(_exact(match).get(test.name.lower()) == test.value for match in matches)


def _backends(rule: Rule) -> dict[str, int]:
    """Weight by pool, of those that get something."""
    refs = rule.get("backendRefs") or ()
    return {ref["name"]: ref.get("weight", 1) for ref in refs if ref.get("weight", 1)}


def _listed(rule: Rule) -> str:
    return ", ".join(f"{name} {weight}" for name, weight in _backends(rule).items()) or "nothing"


def _exact(match: Mapping[str, Any]) -> dict[str, str]:
    headers = match.get("headers") or ()
    return {header["name"].lower(): header["value"] for header in headers if header.get("type", "Exact") == "Exact"}


# --- the ways to it ---------------------------------------------------------------------------------------------------


def ways(route: Mapping[str, Any], rule: Rule, more: Mapping[str, str]) -> tuple[dict[Endpoint, Way], dict[Endpoint, str]]:
    """How each endpoint gets to the rule; and why the others do not.

    Args:
        route: the live HTTPRoute.
        rule: one of its rules.
        more: headers that are sent besides.
    """
    found: dict[Endpoint, Way] = {}
    closed: dict[Endpoint, str] = {}
    for endpoint in ENDPOINTS:
        candidates = list(_ways(rule, endpoint))
        taken = [way for way in candidates if _winner(route, way, more) is rule]
        if taken:
            found[endpoint] = taken[0]
        elif candidates:
            closed[endpoint] = f"another rule of the route takes {candidates[0].method} {candidates[0].path}"
        else:
            closed[endpoint] = f"no match of the test rule takes {' '.join(ENDPOINTS[endpoint])}"
    return found, closed


def _ways(rule: Rule, endpoint: Endpoint) -> Iterator[Way]:
    method, wanted = ENDPOINTS[endpoint]
    for match in rule.get("matches") or ():
        path = _path(match, wanted)
        inexact = [m for m in (*(match.get("headers") or ()), *(match.get("queryParams") or ())) if _is_regex(m)]
        if path and not inexact and match.get("method") in (None, method):
            headers = {header["name"]: header["value"] for header in match.get("headers") or ()}
            yield Way(method, path, headers, {p["name"]: p["value"] for p in match.get("queryParams") or ()})


def _is_regex(match: Mapping[str, Any]) -> bool:
    return match.get("type") == "RegularExpression"


def _path(match: Mapping[str, Any], wanted: str) -> str | None:
    """The path that clients of this match send for an endpoint: below its prefix, unless the prefix is one of the API's own."""
    kind, value = _pattern(match)
    if kind == "Exact":
        return value if value.endswith(wanted) else None
    if kind == "RegularExpression":
        return wanted if _fits(value, wanted) else None
    prefix = value.rstrip("/")
    api = re.search(r"/v1(?=/|$)", prefix)
    path = (prefix[: api.start()] if api else prefix) + wanted
    return path if _begins(path, prefix) else None


def _pattern(match: Mapping[str, Any]) -> tuple[str, str]:
    path = match.get("path") or ANY_PATH["path"]
    return path.get("type", "PathPrefix"), path.get("value", "/")


def _begins(path: str, prefix: str) -> bool:
    """Whether a path is below a prefix, which ends at a slash."""
    trimmed = prefix.rstrip("/")
    return path == trimmed or path.startswith(f"{trimmed}/")


def _fits(pattern: str, text: str) -> bool:
    try:
        return re.fullmatch(pattern, text) is not None
    except re.error:  # RE2 and others know more than Python, and less
        return False


# --- who takes a request ----------------------------------------------------------------------------------------------


def _winner(route: Mapping[str, Any], way: Way, more: Mapping[str, str]) -> Rule | None:
    sent = {name.lower(): value for name, value in {**more, **way.headers}.items()}
    taking = [
        (*_precedence(match), number, rule)
        for number, rule in enumerate(_rules(route))
        for match in rule.get("matches") or (ANY_PATH,)
        if _takes(match, way, sent)
    ]
    return min(taking, key=lambda found: found[:-1])[-1] if taking else None


def _takes(match: Mapping[str, Any], way: Way, sent: Mapping[str, str]) -> bool:
    kind, value = _pattern(match)
    if kind == "Exact":
        path = way.path == value
    else:
        path = _fits(value, way.path) if kind == "RegularExpression" else _begins(way.path, value)
    headers = all(_has(sent, header, header["name"].lower()) for header in match.get("headers") or ())
    params = all(_has(way.params, param, param["name"]) for param in match.get("queryParams") or ())
    return path and headers and params and match.get("method") in (None, way.method)


def _has(sent: Mapping[str, str], match: Mapping[str, Any], name: str) -> bool:
    if name not in sent:
        return False
    return _fits(match["value"], sent[name]) if _is_regex(match) else sent[name] == match["value"]


def _precedence(match: Mapping[str, Any]) -> tuple[int, ...]:
    """Less comes first."""
    kind, value = _pattern(match)
    rank = ("Exact", "RegularExpression", "PathPrefix").index(kind)
    counts = (len(match.get("headers") or ()), len(match.get("queryParams") or ()))
    return (rank, -len(value), int(not match.get("method")), *(-count for count in counts))
