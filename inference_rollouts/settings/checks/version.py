"""Checks of one version: its server, its nodes, and whether the one fits the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from inference_rollouts import accelerators
from inference_rollouts.errors import Problem, one_of, path_of
from inference_rollouts.settings.model import Cluster, Nodes, Server, Service, Version

Place = tuple[str | int, ...]

POOL_KEYS = ("zones", "min", "max", "spot", "reservation", "driver", "version")
"""Keys of `nodes` that say how a node pool of our own is made."""

OWN_FLAGS = ("--model", "--served-model-name", "--port", "--enable-lora", "--max-loras", "--max-lora-rank")
"""Flags that follow from other settings; a second one in `args` would contradict them."""


def version_problems(service: Service, name: str, cluster: Cluster, at: Place) -> Iterator[Problem]:
    """Every problem of one version that a stage may build."""
    version = service.versions[name]
    if version.external:
        given = [key for key, value in (("nodes", version.nodes), ("server", version.server)) if value is not None]
        for key in given:
            yield Problem(path_of(*at, key), "has no effect on an external version; take it out")
        return
    yield from _server(version, at)
    yield from _nodes(version, cluster, at)


def _server(version: Version, at: Place) -> Iterator[Problem]:
    server = version.server or Server()
    for key in ("model", "image") if server.engine == "vllm" else ("image",):
        if getattr(server, key) is None:
            yield Problem(path_of(*at, "server", key), "is missing")
    if server.image is not None and ":" not in server.image.rpartition("/")[2] and "@" not in server.image:
        yield Problem(
            path_of(*at, "server", "image"),
            f"{server.image} has no tag or digest; name one, so that every pod runs the same server",
        )
    if server.autoscaling and server.autoscaling.min > server.autoscaling.max:
        yield Problem(
            path_of(*at, "server", "autoscaling"),
            f"min {server.autoscaling.min} is more than max {server.autoscaling.max}",
        )
    if server.engine == "openai" and server.lora:
        yield Problem(path_of(*at, "server", "lora"), "adapters are loaded through vLLM's API; engine: openai has none")
    if server.engine == "vllm":
        for i, arg in enumerate(server.args):
            flag = arg.split("=")[0]
            if flag in OWN_FLAGS:
                yield Problem(
                    path_of(*at, "server", "args", i),
                    f"{flag} follows from other settings ({_setting_of(flag)}); take it out",
                )


def _setting_of(flag: str) -> str:
    return {"--model": "server.model", "--served-model-name": "models", "--port": "always 8000"}.get(flag, "server.lora")


def elsewhere(nodes: Nodes) -> tuple[str, ...]:
    """The keys of `nodes` that choose nodes which exist, instead of a node pool of our own."""
    chosen = {"existing": nodes.existing, "computeClass": nodes.compute_class, "nodeSelector": nodes.node_selector}
    return tuple(key for key, value in chosen.items() if value)


def pods_at_most(server: Server) -> int:
    """The most pods that a version may have."""
    return server.autoscaling.max if server.autoscaling else server.replicas


def _nodes(version: Version, cluster: Cluster, at: Place) -> Iterator[Problem]:
    nodes = version.nodes or Nodes()
    place = (*at, "nodes")
    others = elsewhere(nodes)
    if len(others) > 1:
        yield Problem(path_of(*place), f"{one_of(others).replace(' or ', ' and ')} exclude each other")
    if others or not cluster.gke:
        for key in _given(nodes, POOL_KEYS):
            why = f"with {others[0]}" if others else "without name and location of a GKE cluster"
            yield Problem(path_of(*place, key), f"has no effect {why}, where no node pool is created; take it out")
    shaped = any((nodes.accelerator, nodes.machine_type))
    if cluster.gke and not others and not shaped:
        yield Problem(
            path_of(*place),
            "names no nodes: give accelerator and machineType, or existing, computeClass or nodeSelector",
        )
    if shaped:
        yield from _shape(nodes, place)
    if nodes.spot and nodes.reservation:
        yield Problem(path_of(*place, "spot"), "spot nodes take no reservation; take one of the two out")
    yield from _room(version, nodes, place)


def _given(nodes: Nodes, keys: Sequence[str]) -> list[str]:
    return [key for key in keys if key in nodes.model_fields_set]


def _shape(nodes: Nodes, at: Place) -> Iterator[Problem]:
    try:
        shape = resolve(nodes)
    except accelerators.CatalogueError as e:
        for field, text in e.problems:
            yield Problem(path_of(*at, field), text)
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


def _room(version: Version, nodes: Nodes, at: Place) -> Iterator[Problem]:
    """As many nodes as pods: a pod takes all accelerators of a node unless `resources` says otherwise."""
    server = version.server or Server()
    if nodes.min is not None and nodes.max is not None and nodes.min > nodes.max:
        yield Problem(path_of(*at, "min"), f"{nodes.min} is more than max, {nodes.max}")
    if nodes.max is not None and server.resources is None and nodes.max < pods_at_most(server):
        key = "autoscaling.max" if server.autoscaling else "replicas"
        yield Problem(path_of(*at, "max"), f"{nodes.max} nodes hold {nodes.max} pods, but server.{key} is {pods_at_most(server)}")
