"""ServedVersion: one complete way to serve: node pool, model server, InferencePool and endpoint picker as one.

Or a pool that somebody else owns, of which only the name is known. Does not own weights.
"""

from __future__ import annotations

import pulumi

from components.accelerator_node_pool import AcceleratorNodePool
from components.adapter_split import AdapterSplit
from components.endpoint_picker import EndpointPicker
from components.inference_pool import InferencePool
from components.model_server import ModelServer
from inference_rollouts.plan import ServedVersionArgs

__all__ = ["ServedVersion", "ServedVersionArgs"]


class ServedVersion(pulumi.ComponentResource):
    """One version of a service.

    Args:
        name: logical name, `<service>.<version>`.
        args: see ServedVersionArgs.
    """

    ready_for_route: tuple[pulumi.Resource, ...] = ()
    """What a route must wait for."""

    def __init__(self, name: str, args: ServedVersionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-rollouts:index:ServedVersion", name, {"version": args.name, "pool": args.pool_name}, opts)
        inside = pulumi.ResourceOptions(parent=self)
        nodes = AcceleratorNodePool(f"{name}.nodes", args.nodes, inside) if args.nodes else None
        if args.server:
            ModelServer(f"{name}.server", args.server, inside, after=(nodes.pool,) if nodes else ())
        if args.pool and args.picker:
            pool = InferencePool(f"{name}.pool", args.pool, inside)
            EndpointPicker(f"{name}.picker", args.picker, inside, after=(pool.pool,))
            for part, split in args.splits.items():
                protect = args.protect_splits[part]
                AdapterSplit(f"{name}.{part}", split, pulumi.ResourceOptions(parent=self, protect=protect), after=(pool.pool,))
            self.ready_for_route = pool.ready_for_route
        self.register_outputs({"poolName": args.pool_name})
