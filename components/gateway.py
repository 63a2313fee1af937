"""Gateway: a Gateway of our own, for those who have none yet.

Owns the Gateway alone: not its class, proxy-only subnet, address or certificates. It is protected for ever: everything
behind it goes when it goes.
"""

from __future__ import annotations

import pulumi

from components.kubernetes_object import KubernetesObject
from inference_rollouts.manifests.route import GatewayArgs, gateway

__all__ = ["Gateway", "GatewayArgs"]


class Gateway(pulumi.ComponentResource):
    """A Gateway.

    Args:
        name: logical name.
        args: see GatewayArgs.
    """

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(protect=True))
        super().__init__("inference-rollouts:index:Gateway", name, {"class": args.gateway_class}, opts)
        KubernetesObject(name, gateway(args), pulumi.ResourceOptions(parent=self))
        self.register_outputs({"gatewayName": args.name})
