"""From what stands in the cluster to what Envoy is to do and what the statuses are to say: one pure function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.gateway.attach import Attachment, attachments
from sandbox.gateway.backends import Backend, backend
from sandbox.gateway.clusters import Target, targets
from sandbox.gateway.files import GatewayFiles
from sandbox.gateway.kinds import HTTP_ROUTE
from sandbox.gateway.objects import Manifest, Objects, key_of
from sandbox.gateway.routes import Rule, route_configuration
from sandbox.gateway.statuses import Status, statuses


@dataclass(frozen=True)
class Snapshot:
    """One state of the gateway.

    Attributes:
        routes: Envoy's RouteConfiguration.
        clusters: Envoy's clusters that the routes need, by name.
        drains: seconds that each of them stays after the routes have left it.
        statuses: what the objects are told once Envoy has taken it.
    """

    routes: Mapping[str, Any]
    clusters: Mapping[str, Mapping[str, Any]]
    drains: Mapping[str, int]
    statuses: tuple[Status, ...]


@dataclass(frozen=True)
class Attached:
    """A route that names a Gateway of ours: its parents and its rules."""

    route: Manifest
    parents: tuple[Attachment, ...]
    rules: tuple[Rule, ...]

    @property
    def backends(self) -> tuple[Backend, ...]:
        """Those that can be served, with weight or without: a backend of weight 0 is kept warm."""
        return tuple(target for rule in self.rules for _, target in rule.resolved if isinstance(target, Backend))


def attached(objects: Objects) -> list[Attached]:
    """Every route that names a Gateway of ours."""
    found = []
    for route in objects.all(HTTP_ROUTE):
        if parents := attachments(objects, route):
            found.append(Attached(route, tuple(parents), tuple(_rules(objects, route))))
    return found


def _rules(objects: Objects, route: Manifest) -> list[Rule]:
    return [
        Rule(route, spec, position, [(ref, backend(objects, route, ref)) for ref in spec.get("backendRefs") or ()])
        for position, spec in enumerate(route["spec"].get("rules") or [])
    ]


def translate(objects: Objects, files: GatewayFiles, *, checks: bool = True) -> tuple[Snapshot, dict[str, Target]]:
    """The state that the objects ask for, and every cluster with its endpoints as they are now."""
    routes = attached(objects)
    every = targets(objects, files, _services(routes), checks=checks)
    needed = {name for route in routes for b in route.backends for name in (b.cluster, b.picker) if name}
    serving = [(parent, route.rules) for route in routes for parent in route.parents if parent.accepted]
    snapshot = Snapshot(
        routes=route_configuration(serving),
        clusters={name: every[name].cluster for name in sorted(needed)},
        drains={name: every[name].drain for name in sorted(needed)},
        statuses=tuple(statuses(objects, routes)),
    )
    return snapshot, every


def _services(routes: list[Attached]) -> set[tuple[str, str, int]]:
    found = set()
    for route in routes:
        for rule in route.rules:
            for ref, target in rule.resolved:
                if isinstance(target, Backend) and (ref.get("kind") or "Service") == "Service":
                    found.add((key_of(route.route)[0], ref["name"], ref["port"]))
    return found
