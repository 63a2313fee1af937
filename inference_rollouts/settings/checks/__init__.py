"""What takes more than one field to judge. Every check yields problems; none of them stops another."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from inference_rollouts.errors import Problem, path_of
from inference_rollouts.settings.checks.service import service_problems
from inference_rollouts.settings.checks.version import elsewhere, pods_at_most, resolve, version_problems
from inference_rollouts.settings.kind import built_versions
from inference_rollouts.settings.model import Cluster, Gateway, Service

__all__ = ["elsewhere", "pods_at_most", "resolve", "stack_problems"]

Place = tuple[str | int, ...]


def stack_problems(
    cluster: Cluster | None, gateway: Gateway | None, services: Mapping[str, Service], broken: Sequence[str]
) -> list[Problem]:
    """All problems beyond single fields.

    Args:
        cluster: None when it is broken itself; what depends on it is then not judged.
        gateway: likewise.
        services: those that could be read.
        broken: paths that have a problem already; nothing that only follows from one of them is said.
    """
    found: list[Problem] = []
    if cluster is not None:
        found += _cluster(cluster)
    for name, service in services.items():
        at: Place = ("services", name)
        found += service_problems(service, at, broken)
        if cluster is not None:
            for version in built_versions(service):
                found += version_problems(service, version, cluster, (*at, "versions", version))
            found += _context_only(service, cluster, at)
    found += _unique_versions(services)
    found += _same_door(services, gateway)
    return [p for p in found if not any(_related(p.path, path) for path in broken)]


def _related(path: str, broken: str) -> bool:
    return path == broken or path.startswith((f"{broken}.", f"{broken}[")) or broken.startswith((f"{path}.", f"{path}["))


def _cluster(cluster: Cluster) -> Iterator[Problem]:
    if bool(cluster.name) != bool(cluster.location):
        lacking = "location" if cluster.name else "name"
        yield Problem(
            "cluster", f"{lacking} is missing: name and location make a GKE cluster; for another one give context alone"
        )
    elif not cluster.name and not cluster.context:
        yield Problem("cluster", "names no cluster: give name and location of a GKE cluster, or a context of your kubeconfig")
    if not cluster.name and "endpoint" in cluster.model_fields_set:
        yield Problem("cluster.endpoint", "has no effect without name and location of a GKE cluster; take it out")


def _context_only(service: Service, cluster: Cluster, at: Place) -> Iterator[Problem]:
    if not cluster.gke and service.backend_policy:
        yield Problem(path_of(*at, "backendPolicy"), "has no effect without name and location of a GKE cluster; take it out")


def _unique_versions(services: Mapping[str, Service]) -> Iterator[Problem]:
    owner: dict[str, str] = {}
    for service, settings in services.items():
        for version in settings.versions:
            if version in owner:
                yield Problem(
                    path_of("services", service, "versions", version),
                    f"{version} is a version of {owner[version]} too; node pools are cluster-wide, so a version's name is unique in a stack",
                )
            owner.setdefault(version, service)


def _same_door(services: Mapping[str, Service], gateway: Gateway | None) -> Iterator[Problem]:
    """Two services may overlap (the more specific host wins), but not ask for the very same requests."""
    seen: dict[str, str] = {}
    for name, service in services.items():
        for host in service.route.hostnames or ("*",):
            for match in service.route.matches or ({},):
                parents = [dict(ref) for ref in service.route.parent_refs] or [gateway.name if gateway else ""]
                door = json.dumps([parents, host, _defaulted(match)], sort_keys=True)
                if seen.setdefault(door, name) != name:
                    what = f"host {host}" if service.route.hostnames else "every host"
                    yield Problem(
                        path_of("services", name, "route"),
                        f"asks for the same requests as {seen[door]} ({what}, {_match_text(match)}); give one of them other hostnames or matches",
                    )


def _defaulted(match: Mapping[str, Any]) -> dict[str, Any]:
    return {"path": {"type": "PathPrefix", "value": "/"}, **match}


def _match_text(match: Mapping[str, Any]) -> str:
    return "every path" if not match else json.dumps(match, sort_keys=True)
