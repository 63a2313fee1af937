"""Checks of one version: its server, its nodes, and whether the one fits the other.

What a version lacks is said only of one that a stage may build; what it says wrongly, of a template too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from inference_rollouts import accelerators
from inference_rollouts.errors import Problem, all_of, named, path_of
from inference_rollouts.settings.checks.server import image_problem, server_problems
from inference_rollouts.settings.kind import built_versions
from inference_rollouts.settings.model import Cluster, Nodes, Server, Service, Version
from inference_rollouts.settings.report import Place, Report

POOL_KEYS = ("zones", "min", "max", "spot", "reservation", "driver", "version")
"""Keys of `nodes` that say how a node pool of our own is made."""

NOT_EXTERNAL = ("nodes", "server", "endpointPicker", "adapters", "names", "allowInPlaceUpdates")
"""Keys of a version that say how it is built."""


def version_problems(service: Service, name: str, cluster: Cluster | None, at: Place, report: Report) -> Iterator[Problem]:
    """Every problem of one version.

    Args:
        service: the version's.
        name: the version's.
        cluster: None when its kind is not known.
        at: the service's place.
        report: what is broken already.
    """
    version, place = service.versions[name], (*at, "versions", name)
    if version.external:
        yield from _external(version, place)
    if version.external or report.touches(*place, "external"):
        return
    whole = name in built_versions(service) and not _lacks_its_base(service, name, at, report)
    yield from server_problems(version.server or Server(), (*place, "server"), whole=whole)
    if problem := image_problem(version.endpoint_picker.image):
        yield Problem(path_of(*place, "endpointPicker", "image"), problem)
    yield from _nodes(version, cluster, place, whole=whole)
    sizes = ("replicas", "autoscaling", "resources")
    if version.nodes and version.nodes.max is not None and not any(report.touches(*place, "server", key) for key in sizes):
        yield from _room(version, version.nodes.max, place)


def _lacks_its_base(service: Service, name: str | None, at: Place, report: Report) -> bool:
    """Whether a version inherits from what could not be read."""
    seen: set[str] = set()
    while name is not None and name not in seen:
        if name not in service.versions or report.touches(*at, "versions", name, "like"):
            return True
        seen.add(name)
        name = service.versions[name].like
    return False


def is_complete(service: Service, name: str, at: Place, report: Report) -> bool:
    """Whether a version is known well enough to compare it with others."""
    version = service.versions[name]
    if _lacks_its_base(service, name, at, report) or report.touches(*at, "versions", name, "server", "model"):
        return False
    return bool(version.external) or (
        version.server is not None and (version.server.engine != "vllm" or bool(version.server.model))
    )


def _external(version: Version, at: Place) -> Iterator[Problem]:
    keys = {Version.model_fields[key].alias for key in version.model_fields_set if getattr(version, key) is not None}
    how = "take it out, or write null where like brings it" if version.like else "take it out"
    for key in NOT_EXTERNAL:
        if key in keys:
            yield Problem(path_of(*at, key), f"has no effect on an external version; {how}")


def elsewhere(nodes: Nodes) -> tuple[str, ...]:
    """The keys of `nodes` that choose nodes which exist, instead of a node pool of our own."""
    chosen = {"existing": nodes.existing, "computeClass": nodes.compute_class, "nodeSelector": nodes.node_selector}
    return tuple(key for key, value in chosen.items() if value)


def pods_at_most(server: Server) -> int:
    """The most pods that a version may have."""
    return server.autoscaling.max if server.autoscaling else server.replicas


def _nodes(version: Version, cluster: Cluster | None, at: Place, *, whole: bool) -> Iterator[Problem]:
    nodes, place, others = version.nodes or Nodes(), (*at, "nodes"), elsewhere(version.nodes or Nodes())
    if len(others) > 1:
        yield Problem(path_of(*place), f"{all_of(others)} exclude each other; keep one")
    if cluster and not cluster.gke:
        yield from _without_gke(nodes, place)
    elif others:
        yield from _no_effect(nodes, POOL_KEYS, f"with {others[0]}, where no node pool is created", place)
    elif cluster:
        yield from _zones(nodes, str(cluster.location), place)
    if version.names.node_pool and (others or (cluster and not cluster.gke)):
        yield Problem(path_of(*at, "names", "nodePool"), "has no effect where no node pool is created; take it out")
    if any((nodes.accelerator, nodes.machine_type, nodes.count, nodes.topology)):
        yield from _shape(nodes, place, whole=whole)
    elif cluster and cluster.gke and not others and whole:
        message = "names no nodes: give accelerator and machineType, or existing, computeClass or nodeSelector"
        yield Problem(path_of(*place), message)
    if nodes.spot and nodes.reservation:
        yield Problem(path_of(*place, "spot"), "spot nodes take no reservation; take one of the two out")
    if nodes.min is not None and nodes.max is not None and nodes.min > nodes.max:
        yield Problem(path_of(*place, "min"), f"{nodes.min} is more than max, {nodes.max}")


def _without_gke(nodes: Nodes, at: Place) -> Iterator[Problem]:
    """Where the cluster is no GKE cluster there are no node pools; nodes are selected by their labels."""
    why = "without name and location of a GKE cluster"
    yield from _no_effect(nodes, POOL_KEYS, why, at)
    for key, value in (("existing", nodes.existing), ("computeClass", nodes.compute_class)):
        if value:
            yield Problem(path_of(*at, key), f"is GKE's, and means nothing {why}; select nodes by nodeSelector")


def _no_effect(nodes: Nodes, keys: Sequence[str], why: str, at: Place) -> Iterator[Problem]:
    for key in keys:
        if key in nodes.model_fields_set and getattr(nodes, key) is not None:
            yield Problem(path_of(*at, key), f"has no effect {why}; take it out")


def _zones(nodes: Nodes, location: str, at: Place) -> Iterator[Problem]:
    region = "-".join(location.split("-")[:2])
    for i, zone in enumerate(nodes.zones):
        if not zone.startswith(f"{region}-"):
            yield Problem(
                path_of(*at, "zones", i),
                f"{named(zone)} is no zone of {region}, where the cluster is; zones are {region}-a and so on",
            )


def _shape(nodes: Nodes, at: Place, *, whole: bool) -> Iterator[Problem]:
    given = {Nodes.model_fields[key].alias for key in nodes.model_fields_set}
    try:
        shape = resolve(nodes)
    except accelerators.CatalogueError as e:
        yield from (Problem(path_of(*at, key), text) for key, text in e.problems if whole or key in given)
        return
    if shape.kind == "tpu" and nodes.driver:
        yield Problem(path_of(*at, "driver"), "has no effect on TPU nodes; take it out")


def resolve(nodes: Nodes) -> accelerators.NodeShape:
    """What the catalogue knows of these nodes.

    Raises:
        accelerators.CatalogueError: when it has no such nodes.
    """
    anywhere = bool(elsewhere(nodes))
    return accelerators.resolve(
        accelerator=nodes.accelerator,
        machine_type=nodes.machine_type,
        count=nodes.count,
        topology=nodes.topology,
        spot=bool(nodes.spot) or anywhere,
        reservation=bool(nodes.reservation) or anywhere,
    )


def _room(version: Version, most: int, at: Place) -> Iterator[Problem]:
    """As many nodes as pods: a pod takes all accelerators of a node unless `resources` says otherwise."""
    server = version.server or Server()
    if server.resources is None and most < pods_at_most(server):
        key = "autoscaling.max" if server.autoscaling else "replicas"
        yield Problem(
            path_of(*at, "nodes", "max"),
            f"{most} is less than server.{key}, {pods_at_most(server)}, and each pod takes a node; write at least {pods_at_most(server)}, "
            "or say in server.resources that pods share a node",
        )
