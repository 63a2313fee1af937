"""ModelServer: the pods that serve a model, and how they are kept, scaled and given adapters.

Owns Deployment, PodDisruptionBudget, HorizontalPodAutoscaler, the adapter list and its sidecar's program. Does not own nodes,
Secrets, ServiceAccounts or what finds the pods. Changing the adapters changes a ConfigMap, never the pod template.
"""

from __future__ import annotations

import pulumi

from components.kubernetes_object import KubernetesObject
from inference_rollouts.manifests.model_server import ModelServerArgs, objects

__all__ = ["ModelServer", "ModelServerArgs"]


class ModelServer(pulumi.ComponentResource):
    """A model server with an OpenAI API on port 8000.

    Args:
        name: logical name.
        args: see ModelServerArgs.
        after: resources that its pods need, as the node pool.
    """

    deployment: KubernetesObject
    """The Deployment. Nothing of the traffic may depend on it: a broken one would hold up the way back."""

    def __init__(
        self,
        name: str,
        args: ModelServerArgs,
        opts: pulumi.ResourceOptions | None = None,
        *,
        after: tuple[pulumi.Resource, ...] = (),
    ) -> None:
        super().__init__("inference-rollouts:index:ModelServer", name, {"model": args.model, "image": args.image}, opts)
        mounted: list[pulumi.Resource] = []
        for part, manifest in objects(args).items():
            if part == "server":
                self.deployment = KubernetesObject(
                    name, manifest, pulumi.ResourceOptions(parent=self, depends_on=[*after, *mounted])
                )
                continue
            logical = f"{name}.{part}" if manifest["kind"] == "ConfigMap" else name
            made = KubernetesObject(logical, manifest, pulumi.ResourceOptions(parent=self))
            if manifest["kind"] == "ConfigMap":
                mounted.append(made)
        self.register_outputs({"deploymentName": args.name})
