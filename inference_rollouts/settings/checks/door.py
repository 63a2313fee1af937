"""The door: what clients come in through. Two services must not ask for the very same requests."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from inference_rollouts.errors import Problem, named, path_of
from inference_rollouts.settings.model import Cluster, Gateway, Service


def gateway_problems(gateway: Gateway, cluster: Cluster | None) -> Iterator[Problem]:
    """What does not fit together in a Gateway of our own."""
    create = gateway.create
    if create is None:
        return
    secure = not create.listeners or any(listener["protocol"] == "HTTPS" for listener in create.listeners)
    if create.tls is not None and not secure:
        yield Problem("gateway.create.tls", "has no effect: none of the listeners is HTTPS; take it out, or change a protocol")
    if cluster is None or cluster.gke:
        return
    if "gateway_class" not in create.model_fields_set:
        yield Problem(
            "gateway.create.class",
            f"is missing: the default, {create.gateway_class}, is GKE's; name the GatewayClass of your cluster",
        )
    if create.address is not None:
        yield Problem("gateway.create.address", "has no effect without name and location of a GKE cluster; take it out")


def same_door(services: Mapping[str, Service], gateway: Gateway | None) -> Iterator[Problem]:
    """Two services may overlap (the more specific host wins), but not be equal in gateway, host and match."""
    seen: dict[str, str] = {}
    for name, service in services.items():
        for door, text in _doors(service, gateway):
            if (other := seen.setdefault(door, name)) != name:
                yield Problem(
                    path_of("services", name, "route"),
                    f"asks for the same requests as service {named(other)} ({text}); give one of them other hostnames or matches",
                )


def _doors(service: Service, gateway: Gateway | None) -> Iterator[tuple[str, str]]:
    """Each combination of parent, host and match, with its defaults; and how to say it."""
    own = {"name": gateway.name, "namespace": gateway.namespace or service.namespace} if gateway else {}
    for parent in service.route.parent_refs or (own,):
        for host in service.route.hostnames or ("*",):
            for match in service.route.matches or ({},):
                whole = {"namespace": service.namespace, **_kind(parent)}
                door = json.dumps([whole, host, _defaulted(match)], sort_keys=True)
                yield door, f"{'every host' if host == '*' else f'host {host}'}, {_text(match)}"


def _kind(parent: Mapping[str, Any]) -> dict[str, Any]:
    return {"group": "gateway.networking.k8s.io", "kind": "Gateway", **parent}


def _defaulted(match: Mapping[str, Any]) -> dict[str, Any]:
    named_ones = {
        key: sorted(({"type": "Exact", **item} for item in match.get(key, ())), key=lambda item: item["name"])
        for key in ("headers", "queryParams")
    }
    return {**match, "path": {"type": "PathPrefix", "value": "/", **match.get("path", {})}, **named_ones}


def _text(match: Mapping[str, Any]) -> str:
    return "every path" if not match else json.dumps(match, sort_keys=True)
