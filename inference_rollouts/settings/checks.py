"""What takes more than one field to judge. Every check yields problems; none of them stops another."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from inference_rollouts import accelerators
from inference_rollouts.errors import Problem, nearest, one_of, path_of
from inference_rollouts.settings.kind import built_versions, pool_kind
from inference_rollouts.settings.model import Adapter, AdapterRollout, Cluster, Gateway, Nodes, Server, Service, Version

Place = tuple[str | int, ...]

POOL_KEYS = ("zones", "min", "max", "spot", "reservation", "driver", "version")
"""Keys of `nodes` that say how a node pool of our own is made."""

OWN_FLAGS = ("--model", "--served-model-name", "--port", "--enable-lora", "--max-loras", "--max-lora-rank")
"""Flags that follow from other settings; a second one in `args` would contradict them."""


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
        found += _service(service, at, broken)
        if cluster is not None:
            for version in built_versions(service):
                found += _version(service, version, cluster, (*at, "versions", version))
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


# --- one service ------------------------------------------------------------------------------------------------------


def _service(service: Service, at: Place, broken: Sequence[str]) -> Iterator[Problem]:
    yield from _named(service.serving, service.versions, (*at, "serving"), "version of this service")
    if service.rollout:
        yield from _rollout(service.rollout, service.serving, service.versions, (*at, "rollout"), broken)
        yield from _pool_kind(service, at)
    for name, adapter in service.adapters.items():
        yield from _adapter(adapter, (*at, "adapters", name), broken)
    yield from _one_rollout_at_a_time(service, at)
    yield from _names_of_models(service, at)
    yield from _adapters_fit(service, at)


def _named(name: str, known: Mapping[str, Any], at: Place, what: str) -> Iterator[Problem]:
    if name not in known:
        yield Problem(path_of(*at), f"{name} is no {what}{nearest(name, known)}; allowed: {one_of(known)}")


def _rollout(
    rollout: AdapterRollout, serving: str, versions: Mapping[str, Any], at: Place, broken: Sequence[str]
) -> Iterator[Problem]:
    what = "version of this adapter" if "adapters" in at else "version of this service"
    if rollout.to == serving:
        others = [name for name in versions if name != serving]
        yield Problem(path_of(*at, "to"), f"{serving} serves already; name another version: {one_of(others)}")
    else:
        yield from _named(rollout.to, {k: v for k, v in versions.items() if k != serving}, (*at, "to"), what)
    if rollout.stage not in rollout.ladder and path_of(*at, "steps") not in broken:
        yield Problem(path_of(*at, "stage"), f"{rollout.stage} is not on the ladder; allowed: {one_of(rollout.ladder)}")


def _pool_kind(service: Service, at: Place) -> Iterator[Problem]:
    rollout = service.rollout
    if rollout is None or rollout.kind is None or len(built_versions(service)) < 2:
        return
    stable, canary = service.versions[service.serving], service.versions[rollout.to]
    actual = pool_kind(stable, canary)
    if actual != rollout.kind:
        models = [v.server.model if v.server else None for v in (stable, canary)]
        why = (
            f"{service.serving} serves {models[0]} and {rollout.to} serves {models[1]}"
            if actual == "base-model"
            else f"{service.serving} and {rollout.to} both serve {models[0]}"
        )
        yield Problem(
            path_of(*at, "rollout", "kind"),
            f"{rollout.kind} is asserted, but this is a {actual} rollout: {why}; mend the version or the assertion",
        )


def _adapter(adapter: Adapter, at: Place, broken: Sequence[str]) -> Iterator[Problem]:
    yield from _named(adapter.serving, adapter.versions, (*at, "serving"), "version of this adapter")
    if adapter.rollout:
        yield from _rollout(adapter.rollout, adapter.serving, adapter.versions, (*at, "rollout"), broken)
        if adapter.rollout.kind not in (None, "adapter"):
            yield Problem(
                path_of(*at, "rollout", "kind"),
                f"{adapter.rollout.kind} is asserted, but this is an adapter rollout, {adapter.serving} to {adapter.rollout.to}; mend the assertion",
            )


def _one_rollout_at_a_time(service: Service, at: Place) -> Iterator[Problem]:
    if service.rollout is None:
        return
    for name, adapter in service.adapters.items():
        stages = (service.rollout.stage, adapter.rollout.stage if adapter.rollout else None)
        if adapter.rollout and stages != ("baseline", "baseline"):
            yield Problem(
                path_of(*at, "adapters", name, "rollout"),
                f"an adapter rollout (at {stages[1]}) and a pool rollout (at {stages[0]}) in one service: "
                "finish one, or take it back to baseline, before the other",
            )


def _names_of_models(service: Service, at: Place) -> Iterator[Problem]:
    """One name means one thing: a model, an adapter that clients ask for, or a version that the servers hold."""
    seen: dict[str, str] = {}

    def taken(name: str, place: str) -> Iterator[Problem]:
        if name in seen:
            yield Problem(place, f"{name} is the name of {seen[name]} too; a name means one thing in a service")
        seen.setdefault(name, place.split(".", 2)[2])

    for i, model in enumerate(service.models or (str(at[1]),)):
        place = path_of(*at, "models", i) if service.models else path_of(*at, "models")
        yield from taken(model, place)
    for name, adapter in service.adapters.items():
        yield from taken(name, path_of(*at, "adapters", name))
        for version in adapter.versions:
            yield from taken(version, path_of(*at, "adapters", name, "versions", version))


def standing(adapter: Adapter) -> tuple[str, ...]:
    """The adapter versions that the servers must hold at the adapter's stage, stable first."""
    rollout = adapter.rollout
    if rollout is None or rollout.stage == "baseline":
        return (adapter.serving,)
    return (adapter.serving, rollout.to)


def _adapters_fit(service: Service, at: Place) -> Iterator[Problem]:
    """Every version that may get traffic holds every adapter: capacity, rank and a source for its base model."""
    if not service.adapters:
        return
    needed = sum(2 if adapter.rollout else 1 for adapter in service.adapters.values())
    for name in built_versions(service):
        version, place = service.versions[name], (*at, "versions", name)
        if version.external:
            yield Problem(
                path_of(*place, "external"),
                "adapters need versions that this package builds; this one is somebody else's",
            )
            continue
        lora = version.server.lora if version.server else None
        if lora is None:
            adapters = one_of(sorted(service.adapters))
            yield Problem(
                path_of(*place, "server", "lora"),
                f"is missing: {name} must hold the adapters of the service ({adapters}); add lora: {{maxLoras: {max(4, needed)}, maxRank: 16}}",
            )
            continue
        if lora.max_loras < needed:
            yield Problem(
                path_of(*place, "server", "lora", "maxLoras"),
                f"{lora.max_loras} adapters fit, {needed} are routed at a time (two while an adapter is rolled out)",
            )
        yield from _ranks(service, lora.max_rank, at)
        yield from _sources(service, name, at)


def _ranks(service: Service, max_rank: int, at: Place) -> Iterator[Problem]:
    for name, adapter in service.adapters.items():
        for key, version in adapter.versions.items():
            if version.rank and version.rank > max_rank:
                yield Problem(
                    path_of(*at, "adapters", name, "versions", key, "rank"),
                    f"{version.rank} is more than server.lora.maxRank, {max_rank}; larger ranks need a version that has them",
                )


def _sources(service: Service, name: str, at: Place) -> Iterator[Problem]:
    """A LoRA adapter belongs to its base model: another base needs sources of its own."""
    version = service.versions[name]
    known = {v for adapter in service.adapters.values() for v in adapter.versions}
    for key in version.adapters:
        yield from _named(
            key, dict.fromkeys(known), (*at, "versions", name, "adapters", key), "version of an adapter of this service"
        )
    if name == service.serving or service.serving not in service.versions:
        return
    if pool_kind(service.versions[service.serving], version) == "node":
        return
    for adapter in service.adapters.values():
        for key in standing(adapter):
            if key not in version.adapters and key in adapter.versions:
                model = version.server.model if version.server else None
                yield Problem(
                    path_of(*at, "versions", name, "adapters"),
                    f"{name} serves another base model ({model}) and lacks adapter {key}: give its source there, adapters: {{{key}: {{source: …}}}}",
                )


# --- one version ------------------------------------------------------------------------------------------------------


def _version(service: Service, name: str, cluster: Cluster, at: Place) -> Iterator[Problem]:
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


def _context_only(service: Service, cluster: Cluster, at: Place) -> Iterator[Problem]:
    if not cluster.gke and service.backend_policy:
        yield Problem(path_of(*at, "backendPolicy"), "has no effect without name and location of a GKE cluster; take it out")


# --- all services -----------------------------------------------------------------------------------------------------


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
