"""Rules on one resource among all: what only a whole registered state shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from inference_rollouts.errors import nearest
from inference_rollouts.manifests.inference_pool import POOL_GROUP
from inference_rollouts.predicates.state import (
    GKE,
    HEALTH_CHECK_POLICY,
    POOL,
    WORKLOAD,
    Ref,
    Resource,
    Stack,
    pool_targets,
    refs_of,
)
from inference_rollouts.predicates.values import UNKNOWN, get, items, judged, may_be, read


def traffic_protected(resource: Resource, stack: Stack) -> Iterator[str]:
    """What carries weight is protected: pools, their routes and splits; of our versions also nodes, server and picker."""
    if resource.protect:
        return
    way = "a line taken out of the program deletes it under traffic; set protect=True, and lift it one update before it goes"
    if carrying := [ref for ref in refs_of(resource) if ref.has_weight and not resource.leaves]:
        yield f"{resource} is not protected, but gives weight to InferencePool {get(carrying[0].ref, 'name')}: {way}"
    for pool in stack.served_by(resource):
        for ref in [ref for ref in stack.refs if ref.carries(pool)][:1]:
            belongs = "it" if pool is resource else f"it belongs to {pool}, which"
            yield f"{resource} is not protected, but {belongs} has weight in {ref}: {way}"


def backend_pool(route: Resource, stack: Stack) -> Iterator[str]:
    """A backendRef names an InferencePool of the stack, or one that is declared as somebody else's."""
    for ref in refs_of(route):
        yield from _backend_pool(ref, stack)


@judged
def _backend_pool(ref: Ref, stack: Stack) -> Iterator[str]:
    name, namespace = read(ref.ref, "name"), get(ref.ref, "namespace") or ref.route.namespace
    external = [pool.partition("/") for pool in stack.external_pools]
    if any(ref.may_name(pool) for pool in stack.pools) or any(may_be(namespace, p[0]) and name == p[2] for p in external):
        return
    full = f"{namespace}/{name}"
    known = {f"{pool.namespace}/{pool.name}": pool.sort[0] for pool in stack.pools}
    if full in known:
        why = "and the share of a pool that is nowhere gets 500"
        yield f"{ref}: {full} has group {known[full]}, not {get(ref.ref, 'group')}, {why}; write the pool's own group"
        return
    why = "which is no pool of this stack, and the share of a pool that is nowhere gets 500"
    hint = nearest(full, [*known, *stack.external_pools])
    yield f"{ref}: names {full}, {why}; correct the name, or declare the pool in externalPools if others own it{hint}"


def health_check_policy(pool: Resource, stack: Stack) -> Iterator[str]:
    """On GKE, every InferencePool that a route names has a HealthCheckPolicy."""
    if pool.sort not in POOL or not stack.on_gke or not any(ref.may_name(pool) for ref in stack.refs):
        return
    key = (pool.sort[0], pool.namespace, pool.name)
    if not any(key in pool_targets(policy) for policy in stack.gke_objects if policy.sort in HEALTH_CHECK_POLICY):
        why = "so GKE probes GET /, which model servers answer with 404, and takes all of its pods for unhealthy"
        way = f"add one whose targetRef is group {key[0]}, kind InferencePool, name {key[2]}"
        yield f"{pool} has no HealthCheckPolicy, {why}; {way}"


def one_policy_per_pool(policy: Resource, stack: Stack) -> Iterator[str]:
    """No two policies of a kind on one pool: GKE obeys the oldest and marks the others Conflicted."""
    for key in pool_targets(policy) if policy.sort[0] == GKE else ():
        alike = [other for other in stack.gke_objects if other.sort == policy.sort]
        rivals = [other for other in alike if any(all(map(may_be, key, target)) for target in pool_targets(other))]
        first = min(rivals, key=lambda rival: (str(rival), rival.urn))
        if first is not policy:
            why = "GKE obeys the older one and marks the other Conflicted"
            yield f"{policy} is for InferencePool {key[1]}/{key[2]}, and so is {first}: {why}; merge them into one"


def pinned_images(workload: Resource, stack: Stack) -> Iterator[str]:
    """Images of model servers and endpoint pickers have a digest, or a tag that is not `latest`."""
    role = _role(workload, stack) if workload.sort in WORKLOAD else None
    pod = get(workload.inputs, "spec", "template", "spec")
    for container in [*items(pod, "initContainers"), *items(pod, "containers")] if role else ():
        yield from _pinned(f"{workload}, container {get(container, 'name')}", container, role)


@judged
def _pinned(where: str, container: Any, role: str) -> Iterator[str]:
    image = str(read(container, "image") or "no image")
    # A digest follows a colon as well, and never reads as latest.
    if image.rpartition("/")[2].partition(":")[2] in ("", "latest"):
        why = f"and its pod {role}: one that restarts may run other software than the one beside it"
        yield f"{where}: {image} is not pinned, {why}; give it a tag that is not latest, or a digest"


def _role(workload: Resource, stack: Stack) -> str | None:
    """What a workload does for an InferencePool of the stack."""
    labels = get(workload.inputs, "spec", "template", "metadata", "labels")
    for pool in [pool for pool in stack.pools if may_be(pool.namespace, workload.namespace)]:
        spec = get(pool.inputs, "spec")
        legacy = pool.sort[0] == POOL_GROUP["v1alpha2"]
        if _selects(get(spec, "selector") if legacy else get(spec, "selector", "matchLabels"), labels):
            return f"serves {pool}"
        picker = get(spec, "extensionRef" if legacy else "endpointPickerRef", "name")
        near = [s for s in stack.services if may_be(s.namespace, pool.namespace) and picker and may_be(s.name, picker)]
        if any(_selects(get(service.inputs, "spec", "selector"), labels) for service in near):
            return f"is the endpoint picker of {pool}"
    return None


def _selects(selector: Any, labels: Any) -> bool:
    if selector is UNKNOWN:
        return True
    return isinstance(selector, Mapping) and bool(selector) and all(may_be(get(labels, k), v) for k, v in selector.items())
