"""Envoy's RouteConfiguration from all attached HTTPRoutes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.gateway.attach import ANY, Attachment, covers
from sandbox.gateway.backends import Backend, Unresolved
from sandbox.gateway.bootstrap import FAULT_FILTER, NO_BACKEND, PICKER_FILTER, ROUTES
from sandbox.gateway.matches import ANY_PATH, Precedence, precedence, route_match
from sandbox.gateway.objects import Manifest, key_of

POOL_HEADER = "x-sandbox-pool"
"""Reply header: name of the InferencePool (or Service) that the weights chose."""
ENDPOINT_HEADER = "x-sandbox-endpoint"
"""Reply header: address of the pod that answered."""

Resolved = Sequence[tuple[Manifest, Backend | Unresolved]]
"""The backendRefs of one rule, each with what it means."""

FILTERS = ("RequestHeaderModifier", "ResponseHeaderModifier")
"""Filters that are done; a rule with another one is answered with 500, and its route is not accepted."""


@dataclass(frozen=True)
class Rule:
    """One rule of one attached route.

    Attributes:
        route: the HTTPRoute.
        spec: the rule in it.
        position: its index.
        resolved: its backends.
    """

    route: Manifest
    spec: Manifest
    position: int
    resolved: Resolved


@dataclass(frozen=True)
class _Entry:
    order: Precedence
    route: dict[str, Any]


def route_configuration(attached: Iterable[tuple[Attachment, Sequence[Rule]]]) -> dict[str, Any]:
    """The RouteConfiguration: a virtual host for each hostname, its routes in the order in which they are tried.

    A request takes the most specific hostname that has a matching rule, so that a virtual host ends with the rules of every
    wider hostname.
    """
    by_host: dict[str, dict[tuple[Any, ...], _Entry]] = {}
    for attachment, rules in attached:
        for host in attachment.hostnames:
            # Two parentRefs of one route may bring the same rule to the same host.
            by_host.setdefault(host, {}).update({entry.order[-4:]: entry for rule in rules for entry in _entries(rule)})
    hosts = [{"name": host, "domains": [host], "routes": _routes(host, by_host)} for host in sorted(by_host)]
    return {
        "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
        "name": ROUTES,
        "virtual_hosts": hosts,
        "ignore_port_in_host_matching": True,
    }


def _routes(host: str, by_host: Mapping[str, Mapping[Any, _Entry]]) -> list[dict[str, Any]]:
    wider = sorted((other for other in by_host if covers(other, host)), key=_specificity)
    return [entry.route for other in wider for entry in sorted(by_host[other].values(), key=lambda e: e.order)]


def _specificity(host: str) -> tuple[bool, bool, int]:
    return host == ANY, host.startswith("*"), -len(host)


def _entries(rule: Rule) -> Iterator[_Entry]:
    key = key_of(rule.route)
    created = rule.route["metadata"].get("creationTimestamp", "")
    action = _action(rule)
    for index, match in enumerate(rule.spec.get("matches") or (ANY_PATH,)):
        order = (*precedence(match), created, *key, rule.position, index)
        name = f"{key[0]}/{key[1]}/{rule.position}/{index}"
        yield _Entry(order, {"name": name, "match": route_match(match), **action})


def unsupported(rule: Manifest) -> str | None:
    """The type of the first filter that is not done here, in the rule or in one of its backendRefs."""
    filters = [*(rule.get("filters") or ()), *(f for ref in rule.get("backendRefs") or () for f in ref.get("filters") or ())]
    return next((f["type"] for f in filters if f["type"] not in FILTERS), None)


def _action(rule: Rule) -> dict[str, Any]:
    if found := unsupported(rule.spec):
        return _refusal(f"the filter {found} is not supported")
    if not any(_weight(ref) for ref, _ in rule.resolved):
        return _refusal("no backend has a weight")
    if all(isinstance(target, Unresolved) for ref, target in rule.resolved if _weight(ref)):
        return _refusal("no backend can be resolved")
    clusters = [_cluster(ref, target) for ref, target in rule.resolved]
    route = {
        "weighted_clusters": {"clusters": clusters},
        "timeout": f"{_timeout(rule)}s",
        # Only what never reached a server may be sent again.
        "retry_policy": {"retry_on": "connect-failure,refused-stream,reset-before-request", "num_retries": 2},
    }
    return {"route": route, **_modified(rule.spec.get("filters") or ())}


def _refusal(why: str) -> dict[str, Any]:
    """Gateway API: a rule that no backend can serve is answered with 500."""
    return {"direct_response": {"status": 500, "body": {"inline_string": why}}}


def _weight(ref: Manifest) -> int:
    weight = ref.get("weight")
    return 1 if weight is None else int(weight)


def _timeout(rule: Rule) -> float:
    """Seconds for a whole reply: Envoy has one for all backends of a route, so the longest of theirs.

    A route's own timeouts come first, as in the Gateway API; 0 turns them off.
    """
    own = rule.spec.get("timeouts") or {}
    if told := own.get("request") or own.get("backendRequest"):
        return duration(told)
    return max(target.settings.timeout for _, target in rule.resolved if isinstance(target, Backend))


UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def duration(text: str) -> float:
    """Seconds of a Gateway API duration, such as 1h30m or 500ms."""
    return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)(ms|h|m|s)", text))


def _cluster(ref: Manifest, target: Backend | Unresolved) -> dict[str, Any]:
    weight = _weight(ref)
    if isinstance(target, Unresolved):
        fault = {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
            "abort": {"http_status": 500, "percentage": {"numerator": 100, "denominator": "HUNDRED"}},
        }
        return {"name": NO_BACKEND, "weight": weight, "typed_per_filter_config": {FAULT_FILTER: fault}}
    modified = _modified(ref.get("filters") or ())
    reply = [*modified.pop("response_headers_to_add", ()), *_attribution(target)]
    found = {"name": target.cluster, "weight": weight, **modified, "response_headers_to_add": reply}
    if target.picker:
        found["typed_per_filter_config"] = {PICKER_FILTER: _picker(target.picker, fail_open=target.fail_open)}
    return found


def _attribution(target: Backend) -> list[dict[str, Any]]:
    values = {POOL_HEADER: target.name, ENDPOINT_HEADER: "%UPSTREAM_REMOTE_ADDRESS%"}
    return [_header(name, value, "OVERWRITE_IF_EXISTS_OR_ADD") for name, value in values.items()]


def _picker(cluster: str, *, fail_open: bool) -> dict[str, Any]:
    return {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute",
        "overrides": {"grpc_service": {"envoy_grpc": {"cluster_name": cluster}}, "failure_mode_allow": fail_open},
    }


def _modified(filters: Iterable[Manifest]) -> dict[str, Any]:
    """The header filters of a rule or of a backendRef."""
    found: dict[str, Any] = {}
    for filter_ in filters:
        side = "request" if filter_["type"] == "RequestHeaderModifier" else "response"
        changes = filter_.get(f"{side}HeaderModifier") or {}
        headers = [_header(h["name"], _literal(h["value"]), "OVERWRITE_IF_EXISTS_OR_ADD") for h in changes.get("set") or ()]
        headers += [_header(h["name"], _literal(h["value"]), "APPEND_IF_EXISTS_OR_ADD") for h in changes.get("add") or ()]
        found.setdefault(f"{side}_headers_to_add", []).extend(headers)
        found.setdefault(f"{side}_headers_to_remove", []).extend(changes.get("remove") or ())
    return {key: value for key, value in found.items() if value}


def _literal(value: str) -> str:
    return value.replace("%", "%%")


def _header(name: str, value: str, action: str) -> dict[str, Any]:
    return {"header": {"key": name, "value": value}, "append_action": action}
