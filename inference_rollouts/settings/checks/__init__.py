"""What takes more than one field to judge. Every check yields problems; none of them stops another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from inference_rollouts.errors import Problem
from inference_rollouts.settings.checks.door import gateway_problems, same_door
from inference_rollouts.settings.checks.names import name_problems
from inference_rollouts.settings.checks.policies import lacks_policy
from inference_rollouts.settings.checks.service import service_problems
from inference_rollouts.settings.checks.short_lived import ShortLived, short_lived
from inference_rollouts.settings.checks.version import elsewhere, pods_at_most, resolve
from inference_rollouts.settings.model import Cluster, Gateway, Service
from inference_rollouts.settings.report import Report

__all__ = [
    "ShortLived",
    "elsewhere",
    "lacks_policy",
    "name_problems",
    "pods_at_most",
    "resolve",
    "short_lived",
    "stack_problems",
]

KIND_OF_CLUSTER = ("name", "location", "context")
"""What says whether it is a GKE cluster."""

OF_GATEWAYS_DOOR = ("name", "namespace")
OF_DOOR = (("namespace",), *(("route", key) for key in ("hostnames", "matches", "parentRefs")))
"""What says which requests a service asks for: where it is wrong, nobody knows which those are."""


def stack_problems(
    cluster: Cluster | None, gateway: Gateway | None, services: Mapping[str, Service], report: Report
) -> Iterator[Problem]:
    """All problems beyond single fields and names.

    Args:
        cluster: None when it could not be read; then, as when its kind is unclear, what depends on that is not judged.
        gateway: likewise.
        services: those that could be read.
        report: what is broken already; nothing that only follows from it is said.
    """
    of_cluster = list(_cluster(cluster)) if cluster else []
    yield from of_cluster
    unclear = any(p.path == "cluster" for p in of_cluster) or any(report.touches("cluster", key) for key in KIND_OF_CLUSTER)
    judged = None if unclear else cluster
    if gateway:
        yield from gateway_problems(gateway, judged)
    for name, service in services.items():
        yield from service_problems(service, judged, ("services", name), report)
    if not any(report.touches("gateway", key) for key in OF_GATEWAYS_DOOR):
        clear = {name: s for name, s in services.items() if not any(report.touches("services", name, *key) for key in OF_DOOR)}
        yield from same_door(clear, gateway)


def _cluster(cluster: Cluster) -> Iterator[Problem]:
    if bool(cluster.name) != bool(cluster.location):
        lacking = "location" if cluster.name else "name"
        yield Problem("cluster", f"lacks {lacking}: name and location make a GKE cluster; for another one give context alone")
    elif not cluster.name and not cluster.context:
        yield Problem("cluster", "names no cluster: give name and location of a GKE cluster, or a context of your kubeconfig")
    elif not cluster.name:
        for key in sorted({"endpoint", "project"} & cluster.model_dump(exclude_unset=True, exclude_none=True).keys()):
            yield Problem(f"cluster.{key}", "has no effect without name and location of a GKE cluster; take it out")
    elif cluster.context and "endpoint" in cluster.model_fields_set:
        yield Problem("cluster.endpoint", "has no effect beside context, which names the endpoint; take one of the two out")
