"""WeightedRoute: the HTTPRoute that splits a service's traffic between InferencePools.

Owns the HTTPRoute alone, and is its one owner. It depends on pools and policies only, never on a server: a canary that
does not start must not hold up the way back.
"""

from __future__ import annotations

import pulumi

from components.guard import binding, split_guard
from components.kubernetes_object import KubernetesObject
from inference_rollouts.manifests.route import Backend, TestHeader, WeightedRouteArgs, http_route

__all__ = ["Backend", "TestHeader", "WeightedRoute", "WeightedRouteArgs"]


class WeightedRoute(pulumi.ComponentResource):
    """A weighted HTTPRoute.

    Args:
        name: logical name.
        args: see WeightedRouteArgs.
        after: the pools and policies of its backends.
    """

    route: KubernetesObject
    """The HTTPRoute."""

    def __init__(
        self,
        name: str,
        args: WeightedRouteArgs,
        opts: pulumi.ResourceOptions | None = None,
        *,
        after: tuple[pulumi.Resource, ...] = (),
    ) -> None:
        weights = {backend.pool: backend.weight for backend in args.backends}
        super().__init__("inference-rollouts:index:WeightedRoute", name, {"weights": weights}, opts)
        hooks = binding(split_guard(f"{name}.route", f"service {name}"))
        guarded = pulumi.ResourceOptions(parent=self, depends_on=list(after), hooks=hooks)
        self.route = KubernetesObject(name, http_route(args), guarded)
        self.register_outputs({"weights": weights})
