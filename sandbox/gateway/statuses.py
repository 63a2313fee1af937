"""What the objects are told, in the words that GKE's controller uses (Gateway API, InferencePool API)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.gateway.attach import Attachment, gateways
from sandbox.gateway.backends import Unresolved
from sandbox.gateway.kinds import CONTROLLER, GATEWAY, GATEWAY_API, GATEWAY_CLASS, HTTP_ROUTE, POOL, POOL_KINDS, SERVICE, Kind
from sandbox.gateway.objects import Manifest, Objects, key_of, pool_of
from sandbox.gateway.routes import unsupported

if TYPE_CHECKING:
    from sandbox.gateway.snapshot import Attached

ADDRESS = "127.0.0.1"
Condition = dict[str, Any]


@dataclass(frozen=True)
class Status:
    """What one object is told.

    Attributes:
        kind: of the object.
        key: namespace and name.
        uid: so that nothing is told to another object of the same name.
        fields: of `status`; those not named are left alone.
    """

    kind: Kind
    key: tuple[str, str]
    uid: str
    fields: Mapping[str, Any]


def statuses(objects: Objects, routes: Sequence[Attached]) -> Iterator[Status]:
    """Every status that this state of the cluster asks for."""
    for gateway_class in objects.all(GATEWAY_CLASS):
        if gateway_class["spec"].get("controllerName") == CONTROLLER:
            yield _status(GATEWAY_CLASS, gateway_class, {"conditions": [_condition(gateway_class, "Accepted")]})
    for gateway in gateways(objects):
        yield _status(GATEWAY, gateway, _gateway(gateway, routes))
    for route in routes:
        yield _status(HTTP_ROUTE, route.route, {"parents": [_parent(route, parent) for parent in route.parents]})
    yield from _pools(objects, routes)


def _status(kind: Kind, manifest: Manifest, fields: Mapping[str, Any]) -> Status:
    return Status(kind, key_of(manifest), manifest["metadata"].get("uid", ""), fields)


def _condition(about: Manifest, name: str, reason: str = "", message: str = "", *, true: bool = True) -> Condition:
    return {
        "type": name,
        "status": "True" if true else "False",
        "reason": reason or name,
        "message": message,
        "observedGeneration": about["metadata"].get("generation", 1),
    }


def _gateway(gateway: Manifest, routes: Sequence[Attached]) -> dict[str, Any]:
    listeners = [_listener(gateway, listener, routes) for listener in gateway["spec"].get("listeners") or ()]
    return {
        "addresses": [{"type": "IPAddress", "value": ADDRESS}],
        "conditions": [_condition(gateway, "Accepted"), _condition(gateway, "Programmed")],
        "listeners": listeners,
    }


def _listener(gateway: Manifest, listener: Manifest, routes: Sequence[Attached]) -> dict[str, Any]:
    namespace, name = key_of(gateway)
    count = sum(
        any(
            listener["name"] in parent.listeners
            and (parent.ref.get("namespace") or key_of(route.route)[0], parent.ref["name"]) == (namespace, name)
            for parent in route.parents
        )
        for route in routes
    )
    return {
        "name": listener["name"],
        "supportedKinds": [{"group": GATEWAY_API, "kind": "HTTPRoute"}],
        "attachedRoutes": count,
        "conditions": [
            _condition(gateway, "Accepted"),
            _condition(gateway, "Programmed"),
            _condition(gateway, "ResolvedRefs"),
            _condition(gateway, "Conflicted", "NoConflicts", true=False),
        ],
    }


def _parent(route: Attached, parent: Attachment) -> dict[str, Any]:
    return {
        "parentRef": dict(parent.ref),
        "controllerName": CONTROLLER,
        "conditions": [_accepted(route, parent), _resolved(route), _reconciled(route, parent)],
    }


def _accepted(route: Attached, parent: Attachment) -> Condition:
    found = next((name for rule in route.rules if (name := unsupported(rule.spec))), None)
    if parent.accepted and found:
        return _condition(route.route, "Accepted", "UnsupportedValue", f"the filter {found} is not supported", true=False)
    return _condition(route.route, "Accepted", parent.reason, parent.message, true=parent.accepted)


def _resolved(route: Attached) -> Condition:
    missing = [target for rule in route.rules for _, target in rule.resolved if isinstance(target, Unresolved)]
    if missing:
        told = "; ".join(dict.fromkeys(target.message for target in missing))
        return _condition(route.route, "ResolvedRefs", missing[0].reason, told, true=False)
    return _condition(route.route, "ResolvedRefs")


def _reconciled(route: Attached, parent: Attachment) -> Condition:
    """Told only after Envoy has taken the routes, so that nothing is left to fail for a route that was accepted."""
    reason = "ReconciliationSucceeded" if parent.accepted else "ReconciliationFailed"
    return _condition(route.route, "Reconciled", reason, true=parent.accepted)


def _pools(objects: Objects, routes: Sequence[Attached]) -> Iterator[Status]:
    """A pool has an entry for each Gateway whose route names it, and none where no route does."""
    users = _users(routes)
    for kind in POOL_KINDS.values():
        for manifest in objects.all(kind):
            field = "parents" if kind is POOL else "parent"
            parents = users.get((kind.group, *key_of(manifest)), ())
            entries = [_pool_entry(objects, kind, manifest, parent) for parent in parents]
            yield _status(kind, manifest, {field: entries})


def _users(routes: Sequence[Attached]) -> dict[tuple[str, str, str], list[tuple[str, str]]]:
    """Gateways (namespace and name) by the pools (group, namespace, name) that their routes name."""
    found: dict[tuple[str, str, str], set[tuple[str, str]]] = {}
    for route in routes:
        namespace = key_of(route.route)[0]
        parents = {(p.ref.get("namespace") or namespace, p.ref["name"]) for p in route.parents if p.accepted}
        for rule in route.rules:
            for ref, _ in rule.resolved:
                if ref.get("kind") == "InferencePool":
                    found.setdefault((ref.get("group") or "", namespace, ref["name"]), set()).update(parents)
    return {pool: sorted(parents) for pool, parents in found.items()}


def _pool_entry(objects: Objects, kind: Kind, manifest: Manifest, parent: tuple[str, str]) -> dict[str, Any]:
    pool = pool_of(kind, manifest)
    service = pool.picker and objects.get(SERVICE, pool.namespace, pool.picker.service)
    resolved = (
        _condition(manifest, "ResolvedRefs")
        if service or not pool.picker
        else _condition(manifest, "ResolvedRefs", "InvalidExtensionRef", f"there is no Service {pool.picker.service}", true=False)
    )
    entry = {
        "parentRef": {"group": GATEWAY_API, "kind": "Gateway", "namespace": parent[0], "name": parent[1]},
        "conditions": [_condition(manifest, "Accepted"), resolved],
    }
    return entry | ({"controllerName": CONTROLLER} if kind is POOL else {})
