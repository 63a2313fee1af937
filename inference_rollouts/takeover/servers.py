"""A Deployment of a model server as the settings that would render it: a guess, which `versions` checks by rendering it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from inference_rollouts import accelerators
from inference_rollouts.manifests.server_pod import GRACE_MARGIN, PRE_STOP
from inference_rollouts.naming import SERVICE_LABEL, VERSION_LABEL
from inference_rollouts.settings import Server as ServerSettings
from inference_rollouts.takeover import command_line
from inference_rollouts.takeover.command_line import CommandLine
from inference_rollouts.takeover.inventory import Existing, Inventory, pod_labels
from inference_rollouts.takeover.shapes import part, parts

NODE_POOL = "cloud.google.com/gke-nodepool"
COMPUTE_CLASS = "cloud.google.com/compute-class"
ACCELERATOR = ("cloud.google.com/gke-accelerator", "cloud.google.com/gke-tpu-accelerator")
INSTANCE_TYPE = "node.kubernetes.io/instance-type"
TOPOLOGY = "cloud.google.com/gke-tpu-topology"
RESOURCES = ("nvidia.com/gpu", "google.com/tpu")
TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
OWN_ENV = (*TOKENS, "VLLM_ALLOW_RUNTIME_LORA_UPDATING")
FOLLOWS = {"--tensor-parallel-size": 1, "--shutdown-timeout": 1}
"""Flags that are rendered where nodes and image say so; with their number of values."""

LOAD_TIMEOUT: int = ServerSettings.model_fields["load_timeout"].default
"""Seconds; the default of `loadTimeout`."""

OWN_LABELS = ("app", SERVICE_LABEL, VERSION_LABEL)


@dataclass(frozen=True)
class Server:
    """What was read of a model server.

    Attributes:
        deployment: the Deployment.
        line: its command line.
        longest_request: seconds, as far as the pod's grace period says so.
    """

    deployment: Existing
    container: Mapping[str, Any]
    line: CommandLine
    longest_request: int | None

    @property
    def pod(self) -> Mapping[str, Any]:
        """The pod spec."""
        return part(self.deployment.spec, "template", "spec")


def read(deployment: Existing) -> Server | None:
    """The model server in a Deployment; None where its pod has no container."""
    pod = part(deployment.spec, "template", "spec")
    listed = parts(pod.get("containers"))
    if not listed:
        return None
    container = max(listed, key=lambda c: (_accelerators(c) > 0, "vllm" in str(c.get("image")).lower()))
    grace = pod.get("terminationGracePeriodSeconds")
    longest = grace - PRE_STOP - GRACE_MARGIN if isinstance(grace, int) else 0
    return Server(deployment, container, command_line.read(container), longest if 1 <= longest <= 3600 else None)


def _accelerators(container: Mapping[str, Any]) -> int:
    for kind in ("limits", "requests"):
        amounts = part(container, "resources", kind)
        for name in RESOURCES:
            if str(amounts.get(name, "")).isdigit():
                return int(amounts[name])
    return 0


def basics(server: Server, inventory: Inventory) -> dict[str, Any]:
    """The keys of `server` that can be read off, without what only an exact copy needs."""
    line, container, pod = server.line, server.container, server.pod
    env, token = _environment(container)
    scale = autoscaling(server.deployment, inventory)
    out: dict[str, Any] = {
        "model": line.model,
        "image": container.get("image"),
        "engine": None if line.engine == "vllm" else line.engine,
        "replicas": None if scale else server.deployment.spec.get("replicas", 1),
        "autoscaling": scale,
        "lora": dict(line.lora) if line.lora else None,
        "serviceAccount": _not(pod.get("serviceAccountName") or pod.get("serviceAccount"), "default"),
        "args": without(line.rest, FOLLOWS),
        "env": env,
        "tokenSecret": token,
    }
    return {key: value for key, value in out.items() if value not in (None, [], {}, ())}


def without(words: tuple[str, ...], flags: Mapping[str, int]) -> list[str]:
    """The words without some flags and their values."""
    out: list[str] = []
    skip = 0
    for word in words:
        if skip and not word.startswith("-"):
            skip -= 1
            continue
        skip = 0
        flag = word.partition("=")[0]
        if flag in flags:
            skip = 0 if "=" in word else flags[flag]
            continue
        out.append(word)
    return out


def _not(value: Any, default: Any) -> Any:
    return None if value == default else value


def _environment(container: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str] | None]:
    """Plain variables, and the Secret with the Hugging Face token. What else there is goes with an exact copy."""
    env: dict[str, str] = {}
    token: dict[str, str] | None = None
    for item in parts(container.get("env")):
        name, ref = str(item.get("name")), part(item, "valueFrom", "secretKeyRef")
        if name in TOKENS and ref:
            token = {"name": str(ref.get("name")), "key": str(ref.get("key"))}
        elif "valueFrom" not in item and name not in OWN_ENV:
            env[name] = str(item.get("value", ""))
    return env, token


def tokens_in_clear(server: Server) -> list[str]:
    """Variables that hold a Hugging Face token itself, and no name of a Secret."""
    return [str(i["name"]) for i in parts(server.container.get("env")) if i.get("name") in TOKENS and i.get("value")]


def autoscaling(deployment: Existing, inventory: Inventory) -> dict[str, Any] | None:
    """The autoscaler of a Deployment, where it scales on one Pods metric with a whole average; None where there is none such."""
    scaler = scaler_of(deployment, inventory)
    metrics = parts(scaler.spec.get("metrics")) if scaler else []
    if scaler is None or len(metrics) != 1 or metrics[0].get("type") != "Pods":
        return None
    target = str(part(metrics[0], "pods", "target").get("averageValue", ""))
    metric = part(metrics[0], "pods", "metric").get("name")
    if not target.isdigit():
        return None
    least, most = scaler.spec.get("minReplicas", 1), scaler.spec.get("maxReplicas")
    return {"min": least, "max": most, "metric": metric, "target": int(target)}


def scaler_of(deployment: Existing, inventory: Inventory) -> Existing | None:
    """The HorizontalPodAutoscaler of a Deployment."""
    for scaler in inventory.of_kind("HorizontalPodAutoscaler", namespace=deployment.namespace):
        ref = part(scaler.spec, "scaleTargetRef")
        if (ref.get("kind"), ref.get("name")) == ("Deployment", deployment.name):
            return scaler
    return None


def details(server: Server) -> dict[str, Any]:
    """What an exact copy needs beside the basics: labels and annotations of the pods, and how long they may load."""
    labels = {k: v for k, v in pod_labels(server.deployment).items() if k not in OWN_LABELS}
    meta = part(server.deployment.spec, "template", "metadata")
    seconds = load_timeout(server)
    out = {
        "podLabels": labels,
        "podAnnotations": meta.get("annotations"),
        "loadTimeout": None if seconds == LOAD_TIMEOUT else duration(seconds),
    }
    return {key: value for key, value in out.items() if value}


def load_timeout(server: Server) -> int:
    """Seconds that a pod may take to load, as its startup probe says; the default where it has none."""
    probe = part(server.container, "startupProbe")
    times = [probe.get("failureThreshold", 3), probe.get("periodSeconds", 10)]
    return times[0] * times[1] if probe and all(isinstance(time, int) for time in times) else LOAD_TIMEOUT


def duration(seconds: int) -> str:
    """Seconds as the stack file says them.

    >>> duration(300), duration(1800), duration(45)
    ('300s', '30m', '45s')
    """
    return f"{seconds // 60}m" if seconds % 60 == 0 and seconds >= 600 else f"{seconds}s"


def nodes(server: Server, inventory: Inventory, *, gke: bool) -> Iterator[Nodes]:
    """Ways to say where the pods go, the most telling first."""
    labels = {str(k): str(v) for k, v in part(server.pod, "nodeSelector").items()}
    known = next((labels[key] for key in ACCELERATOR if key in labels), None)
    place, shape = _place(labels, gke=gke), _shape(server, known, labels, inventory)
    if known and shape:
        yield replace(shape, config={**place, **shape.config})
    bare = {"nodeSelector": labels} if known else place
    if "--tensor-parallel-size" not in server.line.given:
        yield Nodes(bare)
    yield Nodes(bare, follows=False)
    if not known and shape:
        yield replace(shape, config={**place, **shape.config}, guessed=True)


@dataclass(frozen=True)
class Nodes:
    """One way to say where the pods go.

    Attributes:
        config: keys of `nodes`.
        follows: whether flags that follow from nodes and image are left to be rendered.
        guessed: whether the machine type is in no manifest.
    """

    config: Mapping[str, Any]
    follows: bool = True
    guessed: bool = False


def _shape(server: Server, accelerator: str | None, labels: Mapping[str, str], inventory: Inventory) -> Nodes | None:
    """The machine: as the nodes say it, where they were read; else the smallest that has as many whole accelerators."""
    count, topology = _accelerators(server.container), labels.get(TOPOLOGY)
    here = [n for n in inventory.of_kind("Node") if labels and labels.items() <= n.labels.items()]
    seen = {str(n.labels.get(INSTANCE_TYPE)) for n in here}
    offered = [m for m in accelerators.machine_types(accelerator) if topology is None or topology in m.topologies]
    fitting = [m for m in offered if m.name in seen] or [m for m in offered if m.count == count and not m.name.startswith("n1-")]
    if not fitting:
        return None
    chosen = min(fitting, key=lambda m: -m.memory_gb_total if m.accelerator == fitting[0].accelerator else 1)
    config = {"accelerator": chosen.accelerator, "machineType": chosen.name, "topology": topology}
    return Nodes({key: value for key, value in config.items() if value}, guessed=chosen.name not in seen)


def _place(labels: Mapping[str, str], *, gke: bool) -> dict[str, Any]:
    rest = {key: value for key, value in labels.items() if key not in (*ACCELERATOR, TOPOLOGY)}
    if gke and set(rest) == {NODE_POOL}:
        return {"existing": rest[NODE_POOL]}
    if gke and set(rest) == {COMPUTE_CLASS}:
        return {"computeClass": rest[COMPUTE_CLASS]}
    return {"nodeSelector": dict(labels)} if labels else {}
