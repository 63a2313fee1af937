"""The pod of a model server: its container, the sidecar that loads adapters, and how it stops without cutting requests."""

from __future__ import annotations

import math

from inference_rollouts.manifests.objects import Manifest, merged, without_none
from inference_rollouts.manifests.server_args import ModelServerArgs
from inference_rollouts.manifests.vllm import PORT, accelerators_of_pod, command_args

STATUS_PORT = 8081
"""Where the sidecar says which adapters the pod has loaded: /adapters, also through the API server's pod proxy."""

PRE_STOP = 30
"""Seconds between the end of new traffic to a pod and its SIGTERM: endpoints leave a NEG in about 18 s (argo-rollouts#4710)."""

GRACE_MARGIN = 30


def _env(args: ModelServerArgs) -> list[Manifest]:
    env: list[Manifest] = []
    if args.token_secret:
        name, key = args.token_secret
        env.append({"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": name, "key": key}}})
    if args.lora:
        env.append({"name": "VLLM_ALLOW_RUNTIME_LORA_UPDATING", "value": "True"})
    # Sorted: two lines swapped in the file, or sorted by Pulumi's engine, must not restart servers.
    return env + [{"name": name, "value": value} for name, value in sorted(args.env.items())]


def _resources(args: ModelServerArgs) -> Manifest | None:
    if not args.accelerator_resource:
        return dict(args.resources) if args.resources else None
    amount = str(accelerators_of_pod(args))
    both = {args.accelerator_resource: amount}
    return merged({"requests": both, "limits": both}, args.resources or {})


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
        # Three failures: a sidecar that restarts beside a serving server is back before its pod would leave the endpoints.
        "readinessProbe": {
            "httpGet": {"path": "/ready", "port": "adapters"},
            "periodSeconds": 2,
            "timeoutSeconds": 2,
            "failureThreshold": 3,
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
