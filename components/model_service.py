"""ModelService: one service that clients call: the versions that stand, and the route between them.

Its inputs are the record of what stands; the guard on it compares the recorded with the wanted record before any child is
touched. It decides nothing: everything it registers is in the plan.
"""

from __future__ import annotations

import pulumi

from components.guard import Live, binding, service_guard
from components.served_version import ServedVersion
from components.weighted_route import WeightedRoute
from inference_rollouts.plan import ModelServiceArgs

__all__ = ["ModelService", "ModelServiceArgs"]


class ModelService(pulumi.ComponentResource):
    """One service.

    Args:
        name: logical name, the service's.
        args: see ModelServiceArgs.
        opts: `providers` with the cluster's kubernetes provider; `protect` and `hooks` are set from the plan.
        live: asks the cluster before a raise; None asks nothing.
    """

    def __init__(
        self, name: str, args: ModelServiceArgs, opts: pulumi.ResourceOptions | None = None, *, live: Live | None = None
    ) -> None:
        guarded = pulumi.ResourceOptions(protect=args.protect, hooks=binding(service_guard(name, live)))
        opts = pulumi.ResourceOptions.merge(opts, guarded)
        super().__init__("inference-rollouts:index:ModelService", name, args.record.to_wire(), opts)
        ready: list[pulumi.Resource] = []
        for version in args.versions:
            inside = pulumi.ResourceOptions(parent=self, protect=version.protect)
            ready += ServedVersion(f"{name}.{version.name}", version, inside).ready_for_route
        WeightedRoute(name, args.route, pulumi.ResourceOptions(parent=self, protect=args.protect), after=tuple(ready))
        for note in args.notes:
            pulumi.log.info(note, resource=self)
        self.register_outputs({"stage": args.record.pools.stage, "weights": dict(args.record.pools.weights)})
