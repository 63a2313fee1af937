"""Arguments and manifests of an InferencePool and of the GKE policies without which it does not work there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from inference_rollouts.manifests.objects import Manifest, merged, metadata

InferenceApi = Literal["v1", "llm-d", "v1alpha2"]

POOL_GROUP: Mapping[InferenceApi, str] = {
    "v1": "inference.networking.k8s.io",
    "llm-d": "inference.networking.k8s.io",
    "v1alpha2": "inference.networking.x-k8s.io",
}
"""Group of InferencePool by API generation. A backendRef without it means a core Service, and 500s."""

PICKER_PORT = 9002


@dataclass(frozen=True, kw_only=True)
class InferencePoolArgs:
    """A pool of model server pods with one endpoint picker.

    Attributes:
        name: name of the InferencePool and of its policies.
        namespace: its namespace.
        api: API generation.
        selector: labels of the pods; never changes (a change leaves stale endpoints, GIE#2306).
        port: port of the pods.
        picker: name of the endpoint picker's Service.
        failure_mode: FailOpen or FailClose; always written, since the CRD's default is FailClose.
        gke: whether GKE's HealthCheckPolicy and GCPBackendPolicy belong to it.
        longest_request: seconds; time-out and connection draining of the backend.
        backend_policy: merged into `default` of the GCPBackendPolicy.
    """

    name: str
    namespace: str
    api: InferenceApi = "v1"
    selector: Mapping[str, str]
    port: int = 8000
    picker: str
    failure_mode: Literal["FailOpen", "FailClose"] = "FailOpen"
    gke: bool = True
    longest_request: int = 300
    backend_policy: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def inference_pool(args: InferencePoolArgs) -> Manifest:
    """InferencePool, v1 or v1alpha2, with its defaults written out."""
    legacy = args.api == "v1alpha2"
    spec: Manifest
    if legacy:
        extension = {
            "group": "",
            "kind": "Service",
            "name": args.picker,
            "portNumber": PICKER_PORT,
            "failureMode": args.failure_mode,
        }
        spec = {"selector": dict(args.selector), "targetPortNumber": args.port, "extensionRef": extension}
    else:
        picker = {
            "group": "",
            "kind": "Service",
            "name": args.picker,
            "port": {"number": PICKER_PORT},
            "failureMode": args.failure_mode,
        }
        spec = {
            "selector": {"matchLabels": dict(args.selector)},
            "targetPorts": [{"number": args.port}],
            "endpointPickerRef": picker,
        }
    version = "v1alpha2" if legacy else "v1"
    return {
        "apiVersion": f"{POOL_GROUP[args.api]}/{version}",
        "kind": "InferencePool",
        "metadata": metadata(args.name, args.namespace, args.labels),
        "spec": spec,
    }


def frozen_pool(args: InferencePoolArgs) -> dict[str, Any]:
    """What may not change on a version that carries traffic: which pods it selects, and on which port."""
    return {"name": args.name, "selector": dict(args.selector), "port": args.port}


def _target(args: InferencePoolArgs) -> Manifest:
    return {"group": POOL_GROUP[args.api], "kind": "InferencePool", "name": args.name}


def health_check_policy(args: InferencePoolArgs) -> Manifest:
    """networking.gke.io/v1 HealthCheckPolicy: without it GKE probes `GET /`, which vLLM answers with 404.

    portSpecification is written, since one generation of the CRD rejects `port` without it; interval and time-out are
    both written, since either alone can contradict the other's default.
    """
    check = {"portSpecification": "USE_FIXED_PORT", "port": args.port, "requestPath": "/health"}
    return {
        "apiVersion": "networking.gke.io/v1",
        "kind": "HealthCheckPolicy",
        "metadata": metadata(args.name, args.namespace, args.labels),
        "spec": {
            "targetRef": _target(args),
            "default": {"checkIntervalSec": 2, "timeoutSec": 2, "config": {"type": "HTTP", "httpHealthCheck": check}},
        },
    }


def backend_policy(args: InferencePoolArgs) -> Manifest:
    """networking.gke.io/v1 GCPBackendPolicy: the load balancer's own time-out is 30 s, its draining 0."""
    default = {
        "timeoutSec": args.longest_request,
        "connectionDraining": {"drainingTimeoutSec": args.longest_request},
        "logging": {"enabled": True},
    }
    return {
        "apiVersion": "networking.gke.io/v1",
        "kind": "GCPBackendPolicy",
        "metadata": metadata(args.name, args.namespace, args.labels),
        "spec": {"targetRef": _target(args), "default": merged(default, args.backend_policy)},
    }


def objects(args: InferencePoolArgs) -> dict[str, Manifest]:
    """All objects of a pool by part name, the pool first; the policies are GKE's."""
    found = {"pool": inference_pool(args)}
    if args.gke:
        found |= {"health-check": health_check_policy(args), "backend": backend_policy(args)}
    return found
