"""A pool as a version: managed where rendering it gives exactly what stands, else as a pool that somebody else owns.

A changed pod template restarts every server, and a changed selector makes a new Deployment: so nothing is taken over that would
not come out the same. The guess is rendered by the very plan that the program runs, and compared.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from inference_rollouts.errors import InputError
from inference_rollouts.manifests import server_pod
from inference_rollouts.plan import ServedVersionArgs, plan_for
from inference_rollouts.plan.collisions import manifests_of
from inference_rollouts.settings import load
from inference_rollouts.settings.report import within
from inference_rollouts.takeover import normal, pickers, servers, words
from inference_rollouts.takeover.inventory import Existing, Inventory
from inference_rollouts.takeover.overlay import NOTHING, overlay
from inference_rollouts.takeover.servers import Nodes, Server

WORKLOADS = ("Deployment", "StatefulSet", "LeaderWorkerSet", "DaemonSet", "ReplicaSet")
MUST_BE_EQUAL = {
    "Deployment": ("spec.template", "spec.selector"),
    "InferencePool": ("spec",),
    "RoleBinding": ("roleRef",),
    "HorizontalPodAutoscaler": ("spec",),
    "GCPBackendPolicy": ("spec.default.securityPolicy", "spec.default.iap"),
}
"""What may not change when a version is taken over: pods, their number, selectors, who is let in, and what would be replaced."""


@dataclass(frozen=True)
class Surroundings:
    """What a version is rendered in.

    Attributes:
        cluster, gateway: as the stack file has them.
        service: its name.
        shared: keys of the service that its versions depend on.
        namespace: of the route, and so of its pools.
    """

    cluster: Mapping[str, Any]
    gateway: Mapping[str, Any]
    service: str
    shared: Mapping[str, Any]
    namespace: str

    @property
    def gke(self) -> bool:
        """Whether it is a GKE cluster."""
        return "name" in self.cluster


@dataclass(frozen=True)
class VersionFound:
    """One version as it will be written.

    Attributes:
        config: its keys.
        why: why it is external; empty for one that is managed.
        draft: the keys of a version of our own that serves the same, as far as they could be read; None for none.
        guessed: what is in no manifest, one sentence each: of the version, or of its draft.
        lacks: what stands and the draft has not, a few words each.
    """

    name: str
    pool: str
    config: Mapping[str, Any]
    why: tuple[str, ...] = ()
    draft: Mapping[str, Any] | None = None
    guessed: tuple[str, ...] = ()
    exists: Existing | None = None
    server: Server | None = None
    sources: tuple[Existing, ...] = field(default=())
    lacks: tuple[str, ...] = ()

    @property
    def managed(self) -> bool:
        """Whether this package will own its objects."""
        return "external" not in self.config


def find(name: str, pool: str, exists: Existing | None, inventory: Inventory, around: Surroundings) -> VersionFound:
    """The version behind one backend."""
    external = {"external": {"pool": pool}}
    if exists is None:
        missing = inventory.has_all("InferencePool", around.namespace)
        return VersionFound(name, pool, external, (words.pool_missing(pool) if missing else words.pool_unseen(pool),))
    found = inventory.selected(WORKLOADS, exists.namespace, pickers.selector(exists))
    server = servers.read(found[0]) if len(found) == 1 and found[0].kind == "Deployment" else None
    if server is None:
        return VersionFound(name, pool, external, (_no_server(exists, found),), exists=exists, sources=(exists, *found))
    sources = (exists, server.deployment, *pickers.deployments(exists, inventory))
    why: tuple[str, ...] = ()
    for nodes in servers.nodes(server, inventory, gke=around.gke):
        config = _guess(name, exists, server, inventory, nodes)
        reasons, settled = _judged(name, config, server, inventory, around)
        reasons += _beside(exists, inventory)
        if not reasons:
            return VersionFound(name, pool, settled, (), None, _guesses(nodes), exists, server, sources)
        why = why or tuple(reasons)
    made = [p for p in pickers.deployments(exists, inventory) if pickers.made_by_helm(p)]
    why += tuple(words.by_helm(p.title, p.release) for p in made)
    nodes = next(iter(servers.nodes(server, inventory, gke=around.gke)))
    draft = {"nodes": dict(nodes.config), "server": _options(server, inventory, nodes)}
    if (seconds := servers.load_timeout(server)) > servers.LOAD_TIMEOUT:
        draft["server"]["loadTimeout"] = servers.duration(seconds)
    guessed = (*_guesses(nodes), *map(words.token_in_clear, servers.tokens_in_clear(server)))
    return VersionFound(name, pool, external, why, _filled(draft), guessed, exists, server, sources)


def _no_server(pool: Existing, found: list[Existing]) -> str:
    if not found:
        labels = ", ".join(f"{k}={v}" for k, v in pickers.selector(pool).items())
        return words.no_server(labels or "no labels at all")
    if len(found) > 1:
        return words.several_servers([w.title for w in found])
    return words.other_workload(found[0].title)


def _guess(name: str, pool: Existing, server: Server, inventory: Inventory, nodes: Nodes) -> dict[str, Any]:
    names = {"server": server.deployment.name, "pool": pool.name, "picker": str(pickers.reference(pool).get("name"))}
    default = {"server": name, "pool": name, "picker": f"{name}-epp"}
    options = {**_options(server, inventory, nodes), **servers.details(server)}
    out = {
        "nodes": dict(nodes.config),
        "server": {key: value for key, value in options.items() if value},
        "endpointPicker": pickers.settings(pool, inventory, pickers.api_of(pool, inventory)),
        "names": {key: value for key, value in names.items() if value != default[key]},
    }
    return {key: value for key, value in out.items() if value}


def _options(server: Server, inventory: Inventory, nodes: Nodes) -> dict[str, Any]:
    """The keys of `server` beside the nodes that it runs on: what follows from these is not written."""
    out = servers.basics(server, inventory)
    if not nodes.follows:
        out["args"] = list(server.line.rest)
    resources = server.container.get("resources")
    if resources and not ("accelerator" in nodes.config and _takes_accelerators_alone(resources)):
        out["resources"] = resources
    return out


def _takes_accelerators_alone(resources: Mapping[str, Any]) -> bool:
    return all(set(amounts) <= set(servers.RESOURCES) for amounts in resources.values() if isinstance(amounts, Mapping))


def _judged(
    name: str, config: dict[str, Any], server: Server, inventory: Inventory, around: Surroundings
) -> tuple[list[str], dict[str, Any]]:
    """Why it would not come out the same, and the config with what an exact copy needs in `podSpec`."""
    try:
        args = _rendered(name, config, around)
        assert args.server is not None, "a version with a server was asked for"
        base = normal.template(server_pod.pod_template(args.server))["spec"]
        missing = overlay(base, normal.template(server.deployment.spec["template"])["spec"])
        if missing is not NOTHING:
            config = copy.deepcopy(config)
            config["server"]["podSpec"] = missing
            args = _rendered(name, config, around)
    except InputError as e:
        return [f"{p.path.rpartition(f'{name}.')[2]}: {p.message}" for p in e.problems], config
    reasons = [*_unlike(args, inventory), *_unread(args, inventory, "Deployment", "InferencePool")]
    # A picker's config or a list of adapters that nobody has seen would be written over with the default.
    reasons = reasons or list(_unread(args, inventory, "ConfigMap"))
    scaler = servers.scaler_of(server.deployment, inventory)
    if scaler and "autoscaling" not in config["server"]:
        reasons.append(words.other_scaler(scaler.title))
    elif scaler and scaler.name != server.deployment.name:
        reasons.append(words.second_scaler(scaler.title, server.deployment.name))
    return reasons, config


def _beside(pool: Existing, inventory: Inventory) -> Iterator[str]:
    """What acts on a pool and its picker, and would meet one of ours there, one sentence an object."""
    for picker in pickers.deployments(pool, inventory):
        if scaler := servers.scaler_of(picker, inventory):
            yield words.picker_scaler(scaler.title, picker.title)
    for policy in pickers.policies(pool, inventory):
        if policy.name != pool.name:
            yield words.second_policy(policy.title, pool.name)


def _rendered(name: str, config: Mapping[str, Any], around: Surroundings) -> ServedVersionArgs:
    service = {**around.shared, "serving": name, "versions": {name: config}}
    services = {around.service: service}
    stack = load({"cluster": around.cluster, "gateway": around.gateway, "services": services})
    return plan_for(stack).services[0].versions[0]


def _unlike(args: ServedVersionArgs, inventory: Inventory) -> Iterator[str]:
    """What would not stay as it is, one sentence an object."""
    for manifest in manifests_of(args):
        found = inventory.same(manifest)
        parts = MUST_BE_EQUAL.get(manifest["kind"], ())
        if found is None or not parts:
            continue
        old, new = normal.effective(found.manifest), normal.effective(manifest)
        paths = [path for path in normal.differences(old, new) if any(within(path, part) for part in parts)]
        if paths:
            yield words.would_change(found.title, paths)


def _unread(args: ServedVersionArgs, inventory: Inventory, *kinds: str) -> Iterator[str]:
    """What the version has, and was not read, one sentence an object."""
    for manifest in manifests_of(args):
        if manifest["kind"] in kinds and inventory.same(manifest) is None:
            kind, namespace = manifest["kind"], manifest["metadata"]["namespace"]
            title = f"{kind} {namespace}/{manifest['metadata']['name']}"
            yield words.missing(title) if inventory.has_all(kind, namespace) else words.not_there(title)


def _guesses(nodes: Nodes) -> tuple[str, ...]:
    return (words.machine_guessed(nodes.config["machineType"]),) if nodes.guessed else ()


def _filled(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key: inner for key, inner in value.items() if inner}
