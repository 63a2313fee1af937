"""Rules on one resource: what its own inputs show."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from inference_rollouts.accelerators import N1, machine_types
from inference_rollouts.predicates.state import (
    BACKEND_POLICY,
    HEALTH_CHECK_POLICY,
    MODEL,
    NODE_POOL,
    POOL_GROUPS,
    REWRITE,
    Ref,
    Resource,
    pool_targets,
    refs_of,
    rules_of,
)
from inference_rollouts.predicates.values import get, items, judged, read

MAX_BACKEND_WEIGHT = 1000
"""weightedBackendServices[].weight of a GCP URL map; the Gateway API alone would take 1,000,000."""
MAX_TARGET_WEIGHT = 1_000_000


def route_weights(route: Resource) -> Iterator[str]:
    """Weights of a rule that splits between InferencePools are percentages; none is out of range, and not all are 0."""
    for where, rule, _ in rules_of(route):
        yield from _rule_weights(where, rule)


@judged
def _rule_weights(where: str, rule: Any) -> Iterator[str]:
    given = [read(rule, "backendRefs", i, "weight") for i in range(len(items(rule, "backendRefs")))]
    weights = [1 if weight is None else weight for weight in given]
    if wrong := [weight for weight in weights if not _whole(weight, 0, MAX_BACKEND_WEIGHT)]:
        limit = f"a GCP URL map takes whole numbers from 0 to {MAX_BACKEND_WEIGHT}"
        yield f"{where}: {_list(wrong)} is no weight: {limit}; write percentages that add up to 100"
    elif not any(weights):
        yield f"{where}: all weights are 0, so every request is answered with 500; give a backend weight, or take the rule out"
    elif len(weights) > 1 and sum(weights) != 100:
        total = f"{_list(weights, ' + ')} = {sum(weights):g}, not 100, so they are not the percentages they look like"
        yield f"{where}: the weights are {total}; write every weight (one that is not written counts as 1) as its percentage"


def model_targets(split: Resource) -> Iterator[str]:
    """Targets of an InferenceModelRewrite or InferenceModel: there are some, all or none have weights, none has 0."""
    spec = get(split.inputs, "spec")
    if split.sort in REWRITE:
        for i, rule in enumerate(items(spec, "rules")):
            yield from _targets(f"{split}, rules[{i}]", rule, "targets")
    # An InferenceModel without targetModels serves its modelName itself.
    elif split.sort in MODEL and get(spec, "targetModels") is not None:
        yield from _targets(str(split), spec, "targetModels")


@judged
def _targets(where: str, rule: Any, key: str) -> Iterator[str]:
    weights = [read(rule, key, i, "weight") for i in range(len(items(rule, key)))]
    given = [weight for weight in weights if weight is not None]
    if not weights:
        yield f"{where}: has no {key}, which the schema lets pass, so its requests go nowhere; name one, or take it out"
    if wrong := [weight for weight in given if not _whole(weight, 1, MAX_TARGET_WEIGHT)]:
        yield f"{where}: {_list(wrong)} is no weight of a target, which starts at 1; leave a target out that shall get nothing"
    if given and len(given) < len(weights):
        # GIE v1.5.0 pkg/epp/requestcontrol/director.go selectWeightedModel
        missing = f"{len(weights) - len(given)} of {len(weights)} {key} have no weight"
        yield f"{where}: {missing} and so are never chosen beside those that have; give all of them a weight, or none"


def backend_group(route: Resource) -> Iterator[str]:
    """A backendRef to an InferencePool carries group and kind: without, they mean a core Service, and its share gets 500."""
    for ref in refs_of(route):
        yield from _backend_group(ref)


@judged
def _backend_group(ref: Ref) -> Iterator[str]:
    group, kind, name = read(ref.ref, "group"), read(ref.ref, "kind"), get(ref.ref, "name")
    if group not in POOL_GROUPS:
        wrong = f"has group {group}" if group else "carries no group, which means a core kind"
        yield f"{ref}: InferencePool {name} {wrong}, and its share gets 500; write group: {' or '.join(POOL_GROUPS)}"
    if kind != "InferencePool":
        wrong = f"has kind {kind}" if kind else "carries no kind, which means Service"
        yield f"{ref}: {name} of group {group} {wrong}, and its share gets 500; write kind: InferencePool"


@judged
def health_check_port(policy: Resource) -> Iterator[str]:
    """A pool's HealthCheckPolicy says USE_FIXED_PORT and the port: one generation of the CRD refuses a port without it."""
    if policy.sort not in HEALTH_CHECK_POLICY or not pool_targets(policy):
        return
    config = read(policy.inputs, "spec", "default", "config")
    checks = [key for key in config if key.endswith("HealthCheck")] if isinstance(config, Mapping) else []
    loose = [k for k in checks if read(config, k, "portSpecification") != "USE_FIXED_PORT" or get(config, k, "port") is None]
    if loose or not checks:
        why = "so it may be refused, or probe another port than that of the servers"
        where = " and ".join(loose) or "config"
        yield f"{policy} has no fixed port in its {where}, {why}; write portSpecification: USE_FIXED_PORT and the port there"


def session_affinity(policy: Resource) -> Iterator[str]:
    """No sessionAffinity in a pool's GCPBackendPolicy: clusters refuse it, the published CRD does not."""
    affinity = get(policy.inputs, "spec", "default", "sessionAffinity")
    if affinity is not None and policy.sort in BACKEND_POLICY and pool_targets(policy):
        why = "which GKE refuses on an InferencePool, where the endpoint picker chooses the server"
        yield f"{policy} sets sessionAffinity, {why}; take it out"


@judged
def initial_node_count(pool: Resource) -> Iterator[str]:
    """Node pools with accelerators set no initialNodeCount: a change of it replaces the pool (pulumi-gcp#412)."""
    if pool.sort not in NODE_POOL or get(pool.inputs, "initialNodeCount") is None:
        return
    attached = any(get(one, "count") != 0 for one in items(pool.inputs, "nodeConfig", "guestAccelerators"))
    if attached or _has_accelerators(read(pool.inputs, "nodeConfig", "machineType")):
        why = "which drifts with every resize, and whose change deletes the nodes and makes new ones"
        yield f"{pool} has accelerators and sets initialNodeCount, {why}; take it out and let autoscaling say the size"


@functools.cache
def _families() -> frozenset[str]:
    return frozenset(machine.name.partition("-")[0] for machine in machine_types() if machine.name != N1)


def _has_accelerators(machine_type: Any) -> bool:
    return isinstance(machine_type, str) and machine_type.partition("-")[0] in _families()


def _whole(number: Any, low: int, high: int) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and number % 1 == 0 and low <= number <= high


def _list(values: Sequence[Any], glue: str = ", ") -> str:
    return glue.join(f"{value:g}" if isinstance(value, int | float) else str(value) for value in values)
