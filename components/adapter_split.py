"""AdapterSplit: how requests for one model name are spread over adapter versions, on one pool.

Owns the InferenceModelRewrite and InferenceObjective, or the legacy InferenceModel. Does not load adapters.
"""

from __future__ import annotations

import pulumi

from components.guard import binding, split_guard
from components.kubernetes_object import KubernetesObject
from inference_rollouts.manifests.adapter_split import AdapterSplitArgs, objects

__all__ = ["AdapterSplit", "AdapterSplitArgs"]


class AdapterSplit(pulumi.ComponentResource):
    """A weighted split between adapter versions.

    Args:
        name: logical name.
        args: see AdapterSplitArgs.
        after: the pool that it names.
    """

    def __init__(
        self,
        name: str,
        args: AdapterSplitArgs,
        opts: pulumi.ResourceOptions | None = None,
        *,
        after: tuple[pulumi.Resource, ...] = (),
    ) -> None:
        super().__init__(
            "inference-rollouts:index:AdapterSplit", name, {"model": args.model, "weights": dict(args.weights)}, opts
        )
        manifests = objects(args)
        hooks = binding(split_guard(name, f"adapter {args.model}"))
        guarded = pulumi.ResourceOptions(parent=self, depends_on=list(after), hooks=hooks)
        KubernetesObject(name, manifests["split"], guarded)
        if "objective" in manifests:
            KubernetesObject(name, manifests["objective"], pulumi.ResourceOptions(parent=self, depends_on=list(after)))
        self.register_outputs({"model": args.model})
