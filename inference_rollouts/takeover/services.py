"""One HTTPRoute and what stands behind it as one service of a stack config."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from inference_rollouts import naming
from inference_rollouts.manifests.inference_pool import POOL_GROUP
from inference_rollouts.record import Split
from inference_rollouts.takeover import pickers, servers, splits, versions, words
from inference_rollouts.takeover.findings import Finding
from inference_rollouts.takeover.inventory import Existing, Inventory
from inference_rollouts.takeover.routes import ServiceRoute
from inference_rollouts.takeover.service_config import Around, ServiceFound, assemble, label
from inference_rollouts.takeover.shapes import part
from inference_rollouts.takeover.splits import Standing

LOGGING = {"logging": {"enabled": True}}
FOLLOWS_FROM_LONGEST = ("timeoutSec", "connectionDraining")


def find(route: ServiceRoute, inventory: Inventory, around: Around) -> ServiceFound:
    """The service behind one route."""
    findings: list[Finding] = []
    note = splits.noted(route.route)
    pools = dict(_names(route, note, inventory, around))
    weights = splits.percent([ref.weight for ref in route.refs])
    if weights is None:
        findings.append(route.route.says("cannot", words.weights_odd([ref.weight for ref in route.refs]), "spec.rules"))
        weights = [100, *[0] * (len(route.refs) - 1)]
    standing = splits.standing(list(pools), weights, note) or Standing(next(iter(pools)))
    pools |= dict(_retired(route, note, pools, inventory))
    out = ServiceFound(around.name, route, standing, findings=findings)
    out.findings += _noted(route.route, note, standing)
    order = sorted(pools, key=lambda name: (name != standing.serving, name != standing.to))
    shared = _shared(out, [pools[name][1] for name in order], inventory)
    inside = versions.Surroundings(around.cluster, around.gateway, around.name, shared, route.route.namespace)
    out.versions = [versions.find(name, pools[name][0], pools[name][1], inventory, inside) for name in order]
    assemble(out, shared, inventory, around)
    return out


Pool = tuple[str, Existing | None]
"""Name of an InferencePool, and the object where it was read."""


def _names(route: ServiceRoute, note: Split | None, inventory: Inventory, around: Around) -> Iterator[tuple[str, Pool]]:
    """A version's name for each backend: the label that this package writes, what it noted on the route, else the pool's name."""
    pools: list[Pool] = []
    labelled: list[str | None] = []
    for ref in route.refs:
        found = inventory.get("InferencePool", route.route.namespace, ref.name, ref.group)
        pools.append((ref.name, found))
        labelled.append(found.labels.get(naming.VERSION_LABEL) if found else None)
    for (pool, found), known, ref in zip(pools, labelled, route.refs, strict=True):
        noted = None if known or note is None else _noted_name(note, labelled, route, ref.weight)
        name = label(known or noted or pool)
        if name in around.taken:
            name = label(f"{around.name}-{name}")
        while name in around.taken:
            name = label(f"{name}-2")
        around.taken[name] = around.name
        yield name, (pool, found)


def _noted_name(note: Split, labelled: list[str | None], route: ServiceRoute, weight: int) -> str | None:
    """The one noted name that nobody has, and that has this weight: of a pool that somebody else owns."""
    total = sum(ref.weight for ref in route.refs) or 1
    free = [name for name in note.weights if name not in labelled]
    found = [name for name in free if note.weights[name] * total == weight * 100]
    return found[0] if len(found) == 1 else None


def _retired(
    route: ServiceRoute, note: Split | None, pools: Mapping[str, Pool], inventory: Inventory
) -> Iterator[tuple[str, Pool]]:
    """At `retire` the old version still stands, without a backend."""
    if note is None or note.stage != "retire" or note.serving in pools:
        return
    for pool in inventory.of_kind("InferencePool", namespace=route.route.namespace):
        if pool.labels.get(naming.VERSION_LABEL) == note.serving:
            yield note.serving, (pool.name, pool)


def _noted(route: Existing, note: Split | None, standing: Standing) -> Iterator[Finding]:
    if note is None:
        return
    place = f'metadata.annotations."{naming.SPLIT_ANNOTATION}"'
    if note.stage == "baseline" and note.to:
        yield route.says("left", words.rollout_planned(note.to), place)
    elif (note.serving, note.to, note.stage) != (standing.serving, standing.to, standing.stage):
        yield route.says("assumed", words.annotation_differs(f"{note.serving} to {note.to} at {note.stage}"), place)


# --- what versions share ------------------------------------------------------------------------------------------------


def _shared(out: ServiceFound, pools: list[Existing | None], inventory: Inventory) -> dict[str, Any]:
    """Keys of the service that reach into pods and pools: read off the old version, then off the new one."""
    shared: dict[str, Any] = {"namespace": out.namespace}
    group = out.route.refs[0].group
    if group == POOL_GROUP["v1alpha2"]:
        shared["inferenceApi"] = "v1alpha2"
    for pool in pools:
        if pool is None:
            continue
        api = pickers.api_of(pool, inventory)
        if api != "v1":
            shared.setdefault("inferenceApi", api)
        found = inventory.selected(versions.WORKLOADS, pool.namespace, pickers.selector(pool))
        server = servers.read(found[0]) if len(found) == 1 else None
        if server and server.line.names:
            shared.setdefault("models", list(server.line.names))
        if server and server.longest_request:
            shared.setdefault("longestRequest", servers.duration(server.longest_request))
        policy = inventory.get("GCPBackendPolicy", pool.namespace, pool.name)
        if policy:
            rest = {k: v for k, v in part(policy.spec, "default").items() if k not in FOLLOWS_FROM_LONGEST}
            if rest and rest != LOGGING:
                shared.setdefault("backendPolicy", rest)
    return shared
