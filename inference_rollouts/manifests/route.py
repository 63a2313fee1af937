"""Arguments and manifest of the weighted HTTPRoute, and of a Gateway."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inference_rollouts.manifests.objects import Manifest, metadata, without_none

ANY_PATH: Manifest = {"path": {"type": "PathPrefix", "value": "/"}}
"""What the API server fills in where a rule names no match."""

STATUS_TIMEOUT = 300
"""Seconds to wait for the gateway's word on the current generation; on GKE that takes one to two minutes."""

GKE_CONTROLLER = "networking.gke.io/gateway"
HTTP_ROUTE = "gateway.networking.k8s.io/v1"


@dataclass(frozen=True, kw_only=True)
class Backend:
    """One weighted InferencePool of the route.

    Attributes:
        group: API group of the InferencePool.
        pool: its name.
        weight: percent; all weights of a route add up to 100.
    """

    group: str
    pool: str
    weight: int


@dataclass(frozen=True, kw_only=True)
class TestHeader:
    """Requests with this header go to `backend` whatever the weights are."""

    __test__ = False
    name: str
    value: str
    backend: Backend


@dataclass(frozen=True, kw_only=True)
class WeightedRouteArgs:
    """An HTTPRoute whose main rule splits between InferencePools.

    Attributes:
        name, namespace: of the HTTPRoute.
        parent_refs: Gateways, as in the Gateway API.
        hostnames: empty for all of the listener's.
        matches: HTTPRouteMatches of the main rule; empty for every path.
        backends: in fixed order, stable first; their weights add up to 100.
        test: pins test traffic to one backend.
        rules: further rules, kept as they are.
        annotations: on the route, as the split it is written for.
        gke: waits for GKE's Reconciled condition too.

    Raises:
        ValueError: when the weights do not add up to 100.
    """

    name: str
    namespace: str
    parent_refs: tuple[Mapping[str, Any], ...]
    hostnames: tuple[str, ...] = ()
    matches: tuple[Mapping[str, Any], ...] = ()
    backends: tuple[Backend, ...]
    test: TestHeader | None = None
    rules: tuple[Mapping[str, Any], ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    gke: bool = True

    def __post_init__(self) -> None:
        total = sum(backend.weight for backend in self.backends)
        if total != 100:
            raise ValueError(f"HTTPRoute {self.name}: the weights add up to {total}, not 100")


def http_route(args: WeightedRouteArgs) -> Manifest:
    """gateway.networking.k8s.io/v1 HTTPRoute, every default written out.

    The API server compares atomic lists undefaulted against defaulted: a route without its defaults would conflict with
    every other writer, also with an identical one. `patchForce`: the route has one owner, so that an emergency edit by
    hand cannot block the way back.
    """
    rules = [copy.deepcopy(dict(rule)) for rule in args.rules]
    if args.test:
        rules.append(_rule([_with_header(match, args.test) for match in args.matches or (ANY_PATH,)], [args.test.backend]))
    rules.append(_rule([_defaulted(match) for match in args.matches or (ANY_PATH,)], args.backends))
    annotations = {
        "pulumi.com/patchForce": "true",
        "pulumi.com/timeoutSeconds": str(STATUS_TIMEOUT),
        "pulumi.com/waitFor": wait_for(args),
        **args.annotations,
    }
    spec = {
        "parentRefs": [_parent(ref) for ref in args.parent_refs],
        "hostnames": list(args.hostnames) or None,
        "rules": rules,
    }
    return {
        "apiVersion": HTTP_ROUTE,
        "kind": "HTTPRoute",
        "metadata": metadata(args.name, args.namespace, args.labels, annotations),
        "spec": without_none(spec),
    }


def _parent(ref: Mapping[str, Any]) -> Manifest:
    return {"group": "gateway.networking.k8s.io", "kind": "Gateway", **ref}


def _defaulted(match: Mapping[str, Any]) -> Manifest:
    path = {"type": "PathPrefix", "value": "/", **match.get("path", {})}
    headers = [{"type": "Exact", **header} for header in match.get("headers", ())]
    params = [{"type": "Exact", **param} for param in match.get("queryParams", ())]
    return {
        **match,
        "path": path,
        **({"headers": headers} if headers else {}),
        **({"queryParams": params} if params else {}),
    }


def _with_header(match: Mapping[str, Any], test: TestHeader) -> Manifest:
    whole = _defaulted(match)
    return {**whole, "headers": [*whole.get("headers", ()), {"type": "Exact", "name": test.name, "value": test.value}]}


def _rule(matches: list[Manifest], backends: Sequence[Backend]) -> Manifest:
    return {"matches": matches, "backendRefs": backend_refs(backends)}


def backend_refs(backends: Sequence[Backend]) -> list[Manifest]:
    """backendRefs of a rule, every default written out."""
    return [{"group": b.group, "kind": "InferencePool", "name": b.pool, "weight": b.weight} for b in backends]


def wait_for(args: WeightedRouteArgs) -> str:
    """`pulumi.com/waitFor`: the conditions of every parent at the current generation.

    A plain path would be satisfied by the previous generation's status at once; only the first match of a path counts, so
    each is filtered by parent, and on GKE by controller.
    """
    conditions = ("Accepted", "ResolvedRefs", "Reconciled") if args.gke else ("Accepted", "ResolvedRefs")
    return json.dumps([_condition(ref, name, gke=args.gke) for ref in args.parent_refs for name in conditions])


def _condition(ref: Mapping[str, Any], condition: str, *, gke: bool) -> str:
    parent = [f"@.controllerName=='{GKE_CONTROLLER}'"] if gke else []
    parent += [f"@.parentRef.{key}=='{ref[key]}'" for key in ("name", "namespace", "sectionName") if key in ref]
    current = f"@.type=='{condition}' && @.observedGeneration==$.metadata.generation"
    return f"jsonpath={{.status.parents[?({' && '.join(parent)})].conditions[?({current})].status}}=True"


@dataclass(frozen=True, kw_only=True)
class GatewayArgs:
    """A Gateway of our own.

    Attributes:
        name, namespace: of the Gateway.
        gateway_class: GatewayClass.
        listeners: as in the Gateway API; empty for HTTPS on 443 with `tls`, else HTTP on 80.
        tls: `tls` of HTTPS listeners that have none.
        address: name of a reserved regional address.
        route_namespaces: namespaces whose routes may attach; empty for the Gateway's own.
    """

    name: str
    namespace: str
    gateway_class: str
    listeners: tuple[Mapping[str, Any], ...] = ()
    tls: Mapping[str, Any] | None = None
    address: str | None = None
    route_namespaces: tuple[str, ...] = ()


def _allowed_routes(args: GatewayArgs) -> Manifest:
    """The Gateway's own namespace, or exactly those that have a route: never all of them."""
    if set(args.route_namespaces) <= {args.namespace}:
        return {"namespaces": {"from": "Same"}}
    named = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": list(args.route_namespaces)}
    return {"namespaces": {"from": "Selector", "selector": {"matchExpressions": [named]}}}


def listeners_of(args: GatewayArgs) -> tuple[Mapping[str, Any], ...]:
    """The listeners as they are written, or the default one."""
    https, http = {"name": "https", "protocol": "HTTPS", "port": 443}, {"name": "http", "protocol": "HTTP", "port": 80}
    return args.listeners or ((https if args.tls else http),)


def gateway(args: GatewayArgs) -> Manifest:
    """gateway.networking.k8s.io/v1 Gateway."""
    listeners: list[Manifest] = []
    for listener in listeners_of(args):
        whole = {"allowedRoutes": _allowed_routes(args), **listener}
        if args.tls and whole.get("protocol") == "HTTPS":
            whole = {"tls": {"mode": "Terminate", **args.tls}, **whole}
        listeners.append(whole)
    spec = {
        "gatewayClassName": args.gateway_class,
        "addresses": [{"type": "NamedAddress", "value": args.address}] if args.address else None,
        "listeners": listeners,
    }
    return {
        "apiVersion": HTTP_ROUTE,
        "kind": "Gateway",
        "metadata": metadata(args.name, args.namespace),
        "spec": without_none(spec),
    }
