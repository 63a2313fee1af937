"""Which predicate is enforced under which name, and the line that the engine prints above what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from inference_rollouts import predicates as p


class Rule(NamedTuple):
    """One policy: its name, what it demands, and what judges it."""

    name: str
    description: str
    judge: Callable[..., Iterator[str]]


ON_RESOURCE = (
    Rule("route-weights", "Weights between InferencePools are percentages that add up to 100.", p.route_weights),
    Rule("model-targets", "Targets of a model name all have weights or none has, and none has 0.", p.model_targets),
    Rule("backend-group", "A backendRef to an InferencePool carries its group and kind.", p.backend_group),
    Rule("health-check-port", "A HealthCheckPolicy of an InferencePool probes a fixed port.", p.health_check_port),
    Rule("session-affinity", "A GCPBackendPolicy of an InferencePool sets no sessionAffinity.", p.session_affinity),
    Rule("initial-node-count", "Node pools with accelerators set no initialNodeCount.", p.initial_node_count),
)
"""`judge(resource)`: what a resource's own inputs show, so that `pulumi up` stops it before it is made."""

ON_STACK = (
    Rule("traffic-protected", "What carries weight is protected.", p.traffic_protected),
    Rule("backend-pool", "A backendRef names an InferencePool of the stack, or a declared external one.", p.backend_pool),
    Rule("health-check-policy", "On GKE, every InferencePool in a route has a HealthCheckPolicy.", p.health_check_policy),
    Rule("one-policy-per-pool", "An InferencePool has one policy of a kind.", p.one_policy_per_pool),
    Rule("pinned-images", "Images of model servers and endpoint pickers are pinned.", p.pinned_images),
)
"""`judge(resource, stack)`: what only shows among all resources."""
