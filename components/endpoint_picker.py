"""EndpointPicker: what chooses a pod of an InferencePool for each request.

Owns ServiceAccount, Role, RoleBinding, ConfigMap, Service, PodMonitoring and Deployment. Nothing depends on it.
"""

from __future__ import annotations

import pulumi

from components.kubernetes_object import KubernetesObject
from inference_rollouts.manifests.endpoint_picker import EndpointPickerArgs, objects

__all__ = ["EndpointPicker", "EndpointPickerArgs"]


class EndpointPicker(pulumi.ComponentResource):
    """An endpoint picker.

    Args:
        name: logical name.
        args: see EndpointPickerArgs.
        after: the pool; a picker that starts without it crashes until it is there.
    """

    deployment: KubernetesObject
    """The Deployment."""

    def __init__(
        self,
        name: str,
        args: EndpointPickerArgs,
        opts: pulumi.ResourceOptions | None = None,
        *,
        after: tuple[pulumi.Resource, ...] = (),
    ) -> None:
        super().__init__("inference-rollouts:index:EndpointPicker", name, {"api": args.api, "replicas": args.replicas}, opts)
        manifests = objects(args)
        last = manifests.pop("deployment")
        first = [KubernetesObject(name, manifest, pulumi.ResourceOptions(parent=self)) for manifest in manifests.values()]
        self.deployment = KubernetesObject(name, last, pulumi.ResourceOptions(parent=self, depends_on=[*first, *after]))
        self.register_outputs({"pickerName": args.name})
