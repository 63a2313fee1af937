"""AcceleratorNodePool: one GKE node pool with GPUs or single-host TPU slices.

Owns the pool's shape, driver, limits and upgrade freeze. Does not own the cluster, networks, or quota. A new accelerator is
a new pool with a new name, never a change: a changed pool of a fixed name would be deleted before it is recreated.
"""

from __future__ import annotations

import pulumi
from pulumi_gcp.container import NodePool

from inference_rollouts.manifests.node_pool import AcceleratorNodePoolArgs, node_pool

__all__ = ["AcceleratorNodePool", "AcceleratorNodePoolArgs"]


class AcceleratorNodePool(pulumi.ComponentResource):
    """A node pool of one kind of accelerator.

    Args:
        name: logical name.
        args: see AcceleratorNodePoolArgs.
    """

    pool: NodePool
    """The node pool."""

    def __init__(self, name: str, args: AcceleratorNodePoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        shape = {"accelerator": args.accelerator, "machineType": args.machine_type, "count": args.count}
        super().__init__("inference-rollouts:index:AcceleratorNodePool", name, shape, opts)
        self.pool = NodePool(name, **node_pool(args), opts=pulumi.ResourceOptions(parent=self))
        self.register_outputs({"nodePoolName": args.name})
