"""What one registered state can show of what would hurt: rules on plain dicts, for any stack, ours or not.

The policy pack (`policies/`) enforces them. They see neither the old state nor deletions nor a cluster: moves are the
guard's. A value that a preview does not know yet (`UNKNOWN`) counts against the state: it may carry weight, may name any
pool, and is no policy of a pool; a rule that has to read it says so instead. Every rule yields sentences: what, why, what to do.

Only the standard library, and plain modules that need no more: the pack's environment has no pydantic.
Sources, where no other is named: Gateway API v1.5.1, Gateway API inference extension ("GIE") v1.5.0 and v0.5.1.
"""

from inference_rollouts.predicates.on_resource import (
    MAX_BACKEND_WEIGHT,
    backend_group,
    health_check_port,
    initial_node_count,
    model_targets,
    route_weights,
    session_affinity,
)
from inference_rollouts.predicates.on_stack import (
    backend_pool,
    health_check_policy,
    one_policy_per_pool,
    pinned_images,
    traffic_protected,
)
from inference_rollouts.predicates.state import Resource, Stack
from inference_rollouts.predicates.values import UNKNOWN

__all__ = [
    "MAX_BACKEND_WEIGHT",
    "UNKNOWN",
    "Resource",
    "Stack",
    "backend_group",
    "backend_pool",
    "health_check_policy",
    "health_check_port",
    "initial_node_count",
    "model_targets",
    "one_policy_per_pool",
    "pinned_images",
    "route_weights",
    "session_affinity",
    "traffic_protected",
]
