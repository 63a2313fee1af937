"""InferencePool: a pool of model server pods, with the GKE policies without which it does not work there.

Owns the pool, its HealthCheckPolicy and its GCPBackendPolicy. Does not own pods, picker or route.
"""

from __future__ import annotations

import pulumi

from components.kubernetes_object import KubernetesObject
from inference_rollouts.manifests.inference_pool import InferencePoolArgs, objects

__all__ = ["InferencePool", "InferencePoolArgs"]


class InferencePool(pulumi.ComponentResource):
    """An InferencePool.

    Args:
        name: logical name.
        args: see InferencePoolArgs.
    """

    pool: KubernetesObject
    """The InferencePool."""
    ready_for_route: tuple[KubernetesObject, ...]
    """What a route must wait for: the pool and its policies, nothing else."""

    def __init__(self, name: str, args: InferencePoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-rollouts:index:InferencePool", name, {"api": args.api, "pool": args.name}, opts)
        manifests = objects(args)
        self.pool = KubernetesObject(name, manifests.pop("pool"), pulumi.ResourceOptions(parent=self))
        after = pulumi.ResourceOptions(parent=self, depends_on=[self.pool])
        policies = [KubernetesObject(name, manifest, after) for manifest in manifests.values()]
        self.ready_for_route = (self.pool, *policies)
        self.register_outputs({"poolName": args.name})
