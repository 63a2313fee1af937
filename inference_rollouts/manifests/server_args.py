"""Arguments of a model server, in the words of the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class AdapterArgs:
    """One adapter version that the servers hold.

    Attributes:
        name: the name under which the server holds it.
        source: gs://BUCKET/PATH, hf://OWNER/NAME@REVISION or a path in the image.
        routed: whether it has traffic or is what a rollback needs; a starting pod is not ready without it.
    """

    name: str
    source: str
    routed: bool


@dataclass(frozen=True, kw_only=True)
class AutoscalingArgs:
    """Limits and metric of a HorizontalPodAutoscaler.

    Attributes:
        min, max: pods.
        metric: of the pods.
        target: its average per pod.
        needed: pods that the weight of this stage needs, which a raise to it waits for. `min` has those of the next rung, too;
            they come only with it. None for `min`.
    """

    min: int
    max: int
    metric: str
    target: int
    needed: int | None = None


@dataclass(frozen=True, kw_only=True)
class ModelServerArgs:
    """A model server with an OpenAI API.

    Attributes:
        name: name of the Deployment.
        namespace: its namespace.
        labels: labels of the pods; `selector` is part of them.
        selector: labels by which the Deployment and the InferencePool find the pods; never changes.
        models: the names that clients send; the server answers to all of them.
        model: the model to load.
        image: container image with tag or digest.
        engine: vllm renders command and flags; openai leaves `args` alone.
        replicas: pods; left to the autoscaler where there is one.
        accelerator_resource: nvidia.com/gpu or google.com/tpu; None without accelerators.
        accelerators: accelerators of a node, all of which a pod takes unless `resources` says otherwise.
        devices: devices that the server sees in them (TPU chips may count twice).
        node_selector, tolerate: where the pods go; `tolerate` is the key of the nodes' taint.
        max_loras, max_rank: LoRA capacity; 0 for none.
        adapters: what the servers hold now; changing it never changes the pod template.
        longest_request: seconds that a running request may take to finish.
        load_timeout: seconds that a pod may take to load the model.
        token_secret: name and key of a Secret with a Hugging Face token.
        monitoring: whether to add a PodMonitoring (Google Managed Prometheus).
    """

    name: str
    namespace: str
    selector: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    models: tuple[str, ...]
    model: str | None
    image: str
    engine: Literal["vllm", "openai"] = "vllm"
    replicas: int = 1
    autoscaling: AutoscalingArgs | None = None
    accelerator_resource: str | None = None
    accelerators: int = 0
    devices: int = 0
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerate: str | None = None
    max_loras: int = 0
    max_rank: int = 0
    adapters: tuple[AdapterArgs, ...] = ()
    service_account: str = "default"
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, Any] | None = None
    token_secret: tuple[str, str] | None = None
    longest_request: int = 300
    load_timeout: int = 1800
    pod_spec: Mapping[str, Any] = field(default_factory=dict)
    monitoring: bool = True

    @property
    def lora(self) -> bool:
        """Whether the server takes LoRA adapters."""
        return self.max_loras > 0

    @property
    def adapters_config(self) -> str:
        """Name of the ConfigMap with the adapter list."""
        return f"{self.name}-adapters"

    @property
    def sync_config(self) -> str:
        """Name of the ConfigMap with the sidecar's program."""
        return f"{self.name}-adapter-sync"
