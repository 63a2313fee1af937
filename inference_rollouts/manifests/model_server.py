"""Manifests of a model server: Deployment, PodDisruptionBudget, autoscaler and LoRA adapter delivery."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources

from inference_rollouts.manifests.objects import Manifest, metadata, without_none
from inference_rollouts.manifests.server_args import AdapterArgs, AutoscalingArgs, ModelServerArgs
from inference_rollouts.manifests.server_pod import pod_template

__all__ = ["AdapterArgs", "AutoscalingArgs", "ModelServerArgs", "objects"]


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
