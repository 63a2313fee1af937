"""Arguments and manifests of a model server: Deployment, PodDisruptionBudget, autoscaler and LoRA adapter delivery."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Literal

from inference_rollouts.manifests.objects import Manifest, merged, metadata, without_none

PORT = 8000
STATUS_PORT = 8081
PRE_STOP = 30
"""Seconds between the end of new traffic to a pod and its SIGTERM: endpoints leave a NEG in about 18 s (argo-rollouts#4710)."""

GRACE_MARGIN = 30
SHUTDOWN_TIMEOUT_SINCE = (0, 18, 0)
"""First vLLM with --shutdown-timeout (vllm#34730); an older one would not start with it."""


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
    """Limits and metric of a HorizontalPodAutoscaler."""

    min: int
    max: int
    metric: str
    target: int


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


# --- the container's command ------------------------------------------------------------------------------------------


def vllm_version(image: str) -> tuple[int, ...] | None:
    """The vLLM version that an image's tag names, or None where it does not say."""
    found = re.search(r"vllm[^:@]*:v?(\d+)\.(\d+)\.(\d+)(?![\d.])", image)
    return tuple(map(int, found.groups())) if found else None


def knows_shutdown_timeout(image: str) -> bool:
    """Whether the image is known to take --shutdown-timeout."""
    version = vllm_version(image)
    return version is not None and version >= SHUTDOWN_TIMEOUT_SINCE


def accelerators_of_pod(args: ModelServerArgs) -> int:
    """Accelerators that one pod takes: the node's, unless `resources` says otherwise."""
    for kind in ("limits", "requests"):
        wanted = ((args.resources or {}).get(kind) or {}).get(args.accelerator_resource or "")
        if wanted is not None:
            return int(wanted)
    return args.accelerators if args.accelerator_resource else 0


def tensor_parallel_size(args: ModelServerArgs) -> int:
    """vLLM's --tensor-parallel-size: the devices in the accelerators that the pod takes; 0 without any."""
    taken = accelerators_of_pod(args)
    return taken * args.devices // args.accelerators if args.accelerators else taken


def command_args(args: ModelServerArgs) -> list[str]:
    """The server's arguments; what `args` already has is not rendered a second time."""
    if args.engine != "vllm":
        return list(args.args)
    own: dict[str, list[str]] = {
        "--model": [args.model or ""],
        "--served-model-name": list(args.models),
        "--port": [str(PORT)],
    }
    if size := tensor_parallel_size(args):
        own["--tensor-parallel-size"] = [str(size)]
    if knows_shutdown_timeout(args.image):
        own["--shutdown-timeout"] = [str(args.longest_request)]
    if args.lora:
        own |= {"--enable-lora": [], "--max-loras": [str(args.max_loras)], "--max-lora-rank": [str(args.max_rank)]}
    given = {arg.split("=")[0] for arg in args.args} | ({"--tensor-parallel-size"} if "-tp" in args.args else set())
    rendered = [word for flag, values in own.items() if flag not in given for word in (flag, *values)]
    return rendered + list(args.args)


def _env(args: ModelServerArgs) -> list[Manifest]:
    env: list[Manifest] = []
    if args.token_secret:
        name, key = args.token_secret
        env.append({"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": name, "key": key}}})
    if args.lora:
        env.append({"name": "VLLM_ALLOW_RUNTIME_LORA_UPDATING", "value": "True"})
    return env + [{"name": name, "value": value} for name, value in args.env.items()]


def _resources(args: ModelServerArgs) -> Manifest | None:
    if not args.accelerator_resource:
        return dict(args.resources) if args.resources else None
    amount = str(accelerators_of_pod(args))
    both = {args.accelerator_resource: amount}
    return merged({"requests": both, "limits": both}, args.resources or {})


# --- the pod ----------------------------------------------------------------------------------------------------------


def _server_container(args: ModelServerArgs) -> Manifest:
    health = {"httpGet": {"path": "/health", "port": "http"}}
    return without_none(
        {
            "name": "server",
            "image": args.image,
            "command": ["python3", "-m", "vllm.entrypoints.openai.api_server"] if args.engine == "vllm" else None,
            "args": command_args(args),
            "env": _env(args) or None,
            "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
            "resources": _resources(args),
            # vLLM answers /health only once the weights are loaded: the startup probe waits for that, and only for that.
            "startupProbe": {**health, "periodSeconds": 5, "failureThreshold": math.ceil(args.load_timeout / 5)},
            "readinessProbe": {**health, "periodSeconds": 2, "timeoutSeconds": 2, "failureThreshold": 2},
            "livenessProbe": {**health, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6},
            "lifecycle": {"preStop": {"sleep": {"seconds": PRE_STOP}}},
            "volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}, *_adapter_mounts(args, own=False)],
        }
    )


def _sync_container(args: ModelServerArgs) -> Manifest:
    """The sidecar that loads adapters: from the server's own image, since that is on the node already and has Python.

    It is ready once the routed adapters are loaded, and stays so: see data/adapter_sync.py.
    """
    return {
        "name": "adapter-sync",
        "image": args.image,
        "restartPolicy": "Always",
        "command": ["python3", "/etc/adapter-sync/adapter_sync.py"],
        "env": [
            {"name": "SERVER_URL", "value": f"http://127.0.0.1:{PORT}"},
            {"name": "STATUS_PORT", "value": str(STATUS_PORT)},
            {"name": "UNLOAD_AFTER_SECONDS", "value": str(args.longest_request)},
            *[item for item in _env(args) if item["name"] == "HF_TOKEN"],
        ],
        "ports": [{"name": "adapters", "containerPort": STATUS_PORT, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
        "readinessProbe": {
            "httpGet": {"path": "/ready", "port": "adapters"},
            "periodSeconds": 2,
            "failureThreshold": 1,
        },
        "livenessProbe": {
            "httpGet": {"path": "/healthz", "port": "adapters"},
            "periodSeconds": 30,
            "failureThreshold": 4,
        },
        "volumeMounts": _adapter_mounts(args, own=True),
    }


def _adapter_mounts(args: ModelServerArgs, *, own: bool) -> list[Manifest]:
    if not args.lora:
        return []
    mounts: list[Manifest] = [{"name": "adapters", "mountPath": "/adapters"}]
    if own:
        # Without subPath: only so does the kubelet carry changes of a ConfigMap into a running pod.
        mounts.append({"name": "adapter-list", "mountPath": "/etc/adapters"})
        mounts.append({"name": "adapter-sync", "mountPath": "/etc/adapter-sync"})
    return mounts


def _volumes(args: ModelServerArgs) -> list[Manifest]:
    volumes: list[Manifest] = [{"name": "shm", "emptyDir": {"medium": "Memory"}}]
    if args.lora:
        volumes.append({"name": "adapters", "emptyDir": {}})
        volumes.append({"name": "adapter-list", "configMap": {"name": args.adapters_config}})
        volumes.append({"name": "adapter-sync", "configMap": {"name": args.sync_config}})
    return volumes


def pod_template(args: ModelServerArgs) -> Manifest:
    """The pod template: a change of it restarts servers, so it is frozen while the version carries traffic."""
    spec = without_none(
        {
            "serviceAccountName": args.service_account,
            # Service links would set VLLM_PORT for a Service called vllm.
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": PRE_STOP + args.longest_request + GRACE_MARGIN,
            "nodeSelector": dict(args.node_selector) or None,
            "tolerations": [{"key": args.tolerate, "operator": "Exists", "effect": "NoSchedule"}] if args.tolerate else None,
            "initContainers": [_sync_container(args)] if args.lora else None,
            "containers": [_server_container(args)],
            "volumes": _volumes(args),
        }
    )
    meta = without_none({"labels": {**args.labels, **args.selector}, "annotations": dict(args.annotations) or None})
    return {"metadata": meta, "spec": merged(spec, args.pod_spec)}


# --- the objects ------------------------------------------------------------------------------------------------------


def deployment(args: ModelServerArgs) -> Manifest:
    """apps/v1 Deployment; without `replicas` where an autoscaler sets them.

    A changed template surges by one pod and never goes below the number of replicas, so it needs one spare node.
    """
    deadline = args.load_timeout + 900  # a node with an accelerator may take ten minutes to come
    spec = without_none(
        {
            "replicas": None if args.autoscaling else args.replicas,
            "progressDeadlineSeconds": deadline,
            "selector": {"matchLabels": dict(args.selector)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": pod_template(args),
        }
    )
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(args.name, args.namespace, args.labels, {"pulumi.com/timeoutSeconds": str(deadline)}),
        "spec": spec,
    }


def disruption_budget(args: ModelServerArgs) -> Manifest:
    """policy/v1 PodDisruptionBudget: one pod at a time (0 would block node maintenance for ever)."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(args.name, args.namespace, args.labels),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": dict(args.selector)}},
    }


def autoscaler(args: ModelServerArgs) -> Manifest | None:
    """autoscaling/v2 HorizontalPodAutoscaler on a Pods metric, or None."""
    if args.autoscaling is None:
        return None
    scale = args.autoscaling
    target = {"type": "AverageValue", "averageValue": str(scale.target)}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(args.name, args.namespace, args.labels),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": args.name},
            "minReplicas": scale.min,
            "maxReplicas": scale.max,
            "metrics": [{"type": "Pods", "pods": {"metric": {"name": scale.metric}, "target": target}}],
        },
    }


def adapter_list(args: ModelServerArgs) -> Manifest | None:
    """v1 ConfigMap with the adapters that the pods hold, or None without LoRA."""
    if not args.lora:
        return None
    listed = [{"name": a.name, "source": a.source, "routed": a.routed} for a in args.adapters]
    return _config_map(args.adapters_config, args, {"adapters.json": json.dumps({"adapters": listed}, indent=1)})


def adapter_program(args: ModelServerArgs) -> Manifest | None:
    """v1 ConfigMap with the sidecar's program, or None without LoRA."""
    if not args.lora:
        return None
    program = resources.files("inference_rollouts").joinpath("data/adapter_sync.py").read_text("utf-8")
    return _config_map(args.sync_config, args, {"adapter_sync.py": program})


def _config_map(name: str, args: ModelServerArgs, data: Mapping[str, str]) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(name, args.namespace, args.labels),
        "data": dict(data),
    }


def server_monitoring(args: ModelServerArgs) -> Manifest:
    """monitoring.googleapis.com/v1 PodMonitoring of the servers' own metrics (Google Managed Prometheus)."""
    return {
        "apiVersion": "monitoring.googleapis.com/v1",
        "kind": "PodMonitoring",
        "metadata": metadata(args.name, args.namespace, args.labels),
        "spec": {
            "selector": {"matchLabels": dict(args.selector)},
            "endpoints": [{"port": "http", "path": "/metrics", "interval": "15s"}],
        },
    }


def objects(args: ModelServerArgs) -> dict[str, Manifest]:
    """All objects of a server by part name; the ConfigMaps first, since the pods mount them."""
    found = {
        "adapters": adapter_list(args),
        "adapter-sync": adapter_program(args),
        "server": deployment(args),
        "budget": disruption_budget(args),
        "autoscaler": autoscaler(args),
        "monitoring": server_monitoring(args) if args.monitoring else None,
    }
    return {part: manifest for part, manifest in found.items() if manifest}
