"""Arguments and manifests of an endpoint picker: RBAC, config, Deployment, Service, monitoring.

After the chart `inferencepool` v1.5.0 of the Gateway API inference extension, without its cluster-wide objects: its
metrics are served without authentication inside the cluster (--metrics-endpoint-auth=false) instead of by a token Secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from inference_rollouts.manifests.inference_pool import PICKER_PORT, POOL_GROUP, InferenceApi
from inference_rollouts.manifests.objects import Manifest, metadata

HEALTH_PORT = 9003
"""GKE's Gateway controller checks the picker's health on this gRPC port."""
METRICS_PORT = 9090

DEFAULT_IMAGE: Mapping[InferenceApi, str] = {
    "v1": "registry.k8s.io/gateway-api-inference-extension/epp:v1.5.0",
    "llm-d": "ghcr.io/llm-d/llm-d-router-endpoint-picker:v0.10.0",
    "v1alpha2": "registry.k8s.io/gateway-api-inference-extension/epp:v0.5.1",
}

CONFIG_GROUP: Mapping[InferenceApi, str] = {
    "v1": "inference.networking.x-k8s.io",
    "llm-d": "llm-d.ai",
    "v1alpha2": "inference.networking.x-k8s.io",
}

MODEL_GROUP = CONFIG_GROUP
"""Group of the objects that split and rank models (Rewrite, Objective, InferenceModel); the picker's image decides it."""

_CONFIG = """\
apiVersion: {group}/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: queue-scorer
- type: kv-cache-utilization-scorer
- type: prefix-cache-scorer
- type: metrics-data-source
  parameters:
    scheme: http
    path: /metrics
    insecureSkipVerify: true
- type: core-metrics-extractor
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: queue-scorer
    weight: 2
  - pluginRef: kv-cache-utilization-scorer
    weight: 2
  - pluginRef: prefix-cache-scorer
    weight: 3
"""

_LEGACY_CONFIG = """\
apiVersion: {group}/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: queue-scorer
- type: kv-cache-scorer
- type: prefix-cache-scorer
- type: max-score-picker
- type: single-profile-handler
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: queue-scorer
    weight: 1
  - pluginRef: kv-cache-scorer
    weight: 1
  - pluginRef: prefix-cache-scorer
    weight: 1
  - pluginRef: max-score-picker
"""


def default_config(api: InferenceApi) -> str:
    """EndpointPickerConfig with the scorers and weights of the charts inferencepool v1.5.0 and (legacy) v0.5.1."""
    return (_LEGACY_CONFIG if api == "v1alpha2" else _CONFIG).format(group=CONFIG_GROUP[api])


DEFAULT_RESOURCES = {"requests": {"cpu": "4", "memory": "8Gi"}, "limits": {"memory": "16Gi"}}


@dataclass(frozen=True, kw_only=True)
class EndpointPickerArgs:
    """The endpoint picker of one pool.

    Attributes:
        name: name of its Deployment, Service, ServiceAccount, ConfigMap and Roles.
        namespace: the pool's namespace.
        pool: name of the InferencePool.
        api: API generation; decides flags, RBAC and the default image.
        image: container image; None takes the one that fits `api`.
        replicas: more than one elect a leader.
        config: EndpointPickerConfig as YAML text; None takes the chart's scorers.
        monitoring: whether to add a PodMonitoring (Google Managed Prometheus).
    """

    name: str
    namespace: str
    pool: str
    api: InferenceApi = "v1"
    image: str | None = None
    replicas: int = 1
    resources: Mapping[str, Any] | None = None
    args: tuple[str, ...] = ()
    config: str | None = None
    monitoring: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def selector(self) -> dict[str, str]:
        """Labels of its pods, as the chart has them."""
        return {"inferencepool": self.name}

    @property
    def leader_election(self) -> bool:
        """Whether its replicas elect a leader; the legacy picker knows no election."""
        return self.replicas > 1 and self.api != "v1alpha2"


def service_account(args: EndpointPickerArgs) -> Manifest:
    """v1 ServiceAccount."""
    return _object(args, "v1", "ServiceAccount", {})


def role(args: EndpointPickerArgs) -> Manifest:
    """rbac.authorization.k8s.io/v1 Role: the pool, the model objects, its pods; the lease where a leader is elected."""
    read = ["get", "list", "watch"]
    rules: list[Manifest] = [
        {"apiGroups": [""], "resources": ["pods"], "verbs": read},
        {"apiGroups": [POOL_GROUP[args.api]], "resources": ["inferencepools"], "verbs": read},
        {"apiGroups": [MODEL_GROUP[args.api]], "resources": list(MODEL_RESOURCES[args.api]), "verbs": read},
    ]
    if args.leader_election:
        rules.append(
            {
                "apiGroups": ["coordination.k8s.io"],
                "resources": ["leases"],
                "verbs": [*read, "create", "update", "patch", "delete"],
            }
        )
        rules.append({"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]})
    return _object(args, "rbac.authorization.k8s.io/v1", "Role", {"rules": rules})


MODEL_RESOURCES: Mapping[InferenceApi, tuple[str, ...]] = {
    "v1": ("inferenceobjectives", "inferencemodelrewrites"),
    "llm-d": ("inferenceobjectives", "inferencemodelrewrites"),
    "v1alpha2": ("inferencemodels",),
}


def role_binding(args: EndpointPickerArgs) -> Manifest:
    """rbac.authorization.k8s.io/v1 RoleBinding."""
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": args.name}
    subject = {"kind": "ServiceAccount", "name": args.name, "namespace": args.namespace}
    return _object(args, "rbac.authorization.k8s.io/v1", "RoleBinding", {"roleRef": ref, "subjects": [subject]})


def config_map(args: EndpointPickerArgs) -> Manifest:
    """v1 ConfigMap with the EndpointPickerConfig."""
    text = args.config or default_config(args.api)
    return _object(args, "v1", "ConfigMap", {"data": {"default-plugins.yaml": text}})


def service(args: EndpointPickerArgs) -> Manifest:
    """v1 Service that the pool refers to."""
    ports = [
        {"name": "grpc-ext-proc", "protocol": "TCP", "port": PICKER_PORT, "targetPort": PICKER_PORT},
        {"name": "http-metrics", "protocol": "TCP", "port": METRICS_PORT, "targetPort": METRICS_PORT},
    ]
    if args.api == "llm-d":
        ports[0]["appProtocol"] = "kubernetes.io/h2c"
    return _object(args, "v1", "Service", {"spec": {"type": "ClusterIP", "selector": args.selector, "ports": ports}})


def command_args(args: EndpointPickerArgs) -> list[str]:
    """Flags of the picker; the legacy ones are in camelCase."""
    if args.api == "v1alpha2":
        flags = ["-poolName", args.pool, "-poolNamespace", args.namespace, "-v", "1", "-grpcPort", str(PICKER_PORT)]
        flags += ["-grpcHealthPort", str(HEALTH_PORT), "-metricsPort", str(METRICS_PORT)]
        flags += [
            "-configFile",
            "/config/default-plugins.yaml",
            "-kvCacheUsagePercentageMetric",
            "vllm:kv_cache_usage_perc",
        ]
        return flags + list(args.args)
    flags = ["--pool-name", args.pool, "--pool-namespace", args.namespace, "--pool-group", POOL_GROUP[args.api]]
    flags += ["--config-file", "/config/default-plugins.yaml", "--zap-encoder", "json", "--v", "1", "--tracing=false"]
    flags += ["--metrics-endpoint-auth=false"]
    if args.leader_election:
        flags += ["--ha-enable-leader-election"]
    return flags + list(args.args)


def _probe(args: EndpointPickerArgs, kind: Literal["liveness", "readiness"]) -> Manifest:
    return {"grpc": {"port": HEALTH_PORT, "service": kind if args.leader_election else "inference-extension"}}


def deployment(args: EndpointPickerArgs) -> Manifest:
    """apps/v1 Deployment. Recreate: a rolling update dead-locks with leader election (GIE#1619)."""
    field_of = {"NAMESPACE": "metadata.namespace", "POD_NAME": "metadata.name"}
    container = {
        "name": "epp",
        "image": args.image or DEFAULT_IMAGE[args.api],
        "args": command_args(args),
        "env": [{"name": n, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}} for n, path in field_of.items()],
        "ports": [
            {"name": "grpc", "containerPort": PICKER_PORT, "protocol": "TCP"},
            {"name": "grpc-health", "containerPort": HEALTH_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"},
        ],
        "resources": dict(args.resources or DEFAULT_RESOURCES),
        "livenessProbe": {**_probe(args, "liveness"), "initialDelaySeconds": 5, "periodSeconds": 10},
        "readinessProbe": {**_probe(args, "readiness"), "periodSeconds": 2},
        "volumeMounts": [{"name": "config", "mountPath": "/config"}],
    }
    pod = {
        "serviceAccountName": args.name,
        "terminationGracePeriodSeconds": 130,
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": args.name}}],
    }
    template = {"metadata": {"labels": {**args.labels, **args.selector}}, "spec": pod}
    spec = {
        "replicas": args.replicas,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": args.selector},
        "template": template,
    }
    manifest = _object(args, "apps/v1", "Deployment", {"spec": spec})
    if args.leader_election:
        # Only the leader is ever Ready, so the Deployment never becomes available as a whole: nobody may wait for that.
        manifest["metadata"]["annotations"] = {"pulumi.com/skipAwait": "true"}
    return manifest


def picker_monitoring(args: EndpointPickerArgs) -> Manifest | None:
    """monitoring.googleapis.com/v1 PodMonitoring; None under v1alpha2, whose picker demands a token."""
    if not args.monitoring or args.api == "v1alpha2":
        return None
    endpoint = {"port": "metrics", "path": "/metrics", "interval": "15s"}
    spec = {"selector": {"matchLabels": args.selector}, "endpoints": [endpoint]}
    return _object(args, "monitoring.googleapis.com/v1", "PodMonitoring", {"spec": spec})


def _object(args: EndpointPickerArgs, api_version: str, kind: str, rest: Manifest) -> Manifest:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": metadata(args.name, args.namespace, args.labels),
        **rest,
    }


def objects(args: EndpointPickerArgs) -> dict[str, Manifest]:
    """All objects of a picker by part name, its Deployment last: without RBAC it would crash."""
    found = {
        "account": service_account(args),
        "role": role(args),
        "binding": role_binding(args),
        "config": config_map(args),
        "service": service(args),
        "monitoring": picker_monitoring(args),
        "deployment": deployment(args),
    }
    return {part: manifest for part, manifest in found.items() if manifest}
