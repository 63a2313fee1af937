"""The other gateway: istiod, which nobody here wrote, and a plain Envoy that takes its whole configuration from it.

On a cluster without GKE's resources. istiod serves Gateways of the class `istio`; its conditions are Accepted and
ResolvedRefs, without GKE's Reconciled. One Envoy is one Gateway: the oldest one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sandbox.gateway.files import ADMIN
from sandbox.home import Home

CLASS = "istio"
NAMESPACE = "istio-system"
XDS_PORT, HEALTH_PORT = 15010, 15080
READY_URL = f"http://127.0.0.1:{HEALTH_PORT}/ready"
ADDRESS = "10.77.0.2"
"""Of the gateway's pod; no node gives it to another one."""
NAME_LABEL = "gateway.networking.k8s.io/gateway-name"

Manifest = dict[str, Any]

MESH: Manifest = {"enableAutoMtls": False, "defaultConfig": {"discoveryAddress": f"127.0.0.1:{XDS_PORT}"}}


def istiod_argv(home: Home) -> list[str]:
    """istiod's command line: it listens on loopback only, and not for webhooks."""
    return [
        str(home.bin / "pilot-discovery"),
        "discovery",
        f"--kubeconfig={home.kubeconfig}",
        f"--namespace={NAMESPACE}",
        f"--meshConfig={home.gateway / 'mesh.json'}",
        f"--grpcAddr=127.0.0.1:{XDS_PORT}",
        f"--httpAddr=127.0.0.1:{HEALTH_PORT}",
        "--httpsAddr=",
        "--secureGRPCAddr=",
        "--monitoringAddr=127.0.0.1:15014",
        "--ctrlz_port=0",
        "--profile=false",
        "--log_output_level=default:warn",
    ]


def istiod_environment(home: Home) -> dict[str, str]:
    """What makes istiod's answers fit a plain Envoy, and keeps it from what a sandbox has not."""
    return {
        "KUBECONFIG": str(home.kubeconfig),
        "POD_NAME": "istiod",
        "POD_NAMESPACE": NAMESPACE,
        "ENABLE_GATEWAY_API_INFERENCE_EXTENSION": "true",
        "PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER": "false",
        # Filters that only Istio's own build of Envoy has.
        "PILOT_ENABLE_METADATA_EXCHANGE": "false",
        "PILOT_ENABLE_ALPN_FILTER": "false",
        "ENABLE_CA_SERVER": "false",
        "PILOT_CERT_PROVIDER": "none",
        "INJECTION_WEBHOOK_CONFIG_NAME": "",
        "VALIDATION_WEBHOOK_CONFIG_NAME": "",
    }


def workload(gateway: Mapping[str, Any]) -> str:
    """Name of the Service and of the pod of a Gateway, as istiod expects it."""
    return f"{gateway['metadata']['name']}-{CLASS}"


def service(gateway: Mapping[str, Any], port: int) -> Manifest:
    """The Service by which istiod knows the Gateway: its first listener, on the sandbox's port.

    Without a selector: the endpoints of a selected pod would need a node.
    """
    ports = [{**_listener(gateway), "targetPort": port}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(gateway, workload(gateway)),
        "spec": {"ports": ports},
    }


def _listener(gateway: Mapping[str, Any]) -> Manifest:
    first = gateway["spec"]["listeners"][0]
    return {"name": first["name"], "port": first["port"], "protocol": "TCP"}


def endpoints(gateway: Mapping[str, Any], port: int) -> Manifest:
    """The EndpointSlice of that Service: Envoy."""
    name = workload(gateway)
    target = {"kind": "Pod", "namespace": gateway["metadata"]["namespace"], "name": name}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": _metadata(gateway, name) | {"labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": [{**_listener(gateway), "port": port}],
        "endpoints": [{"addresses": [ADDRESS], "conditions": {"ready": True}, "targetRef": target}],
    }


def pod(gateway: Mapping[str, Any]) -> Manifest:
    """The pod that stands for Envoy: on no node, and left alone by the scheduler."""
    metadata = _metadata(gateway, workload(gateway)) | {"labels": {NAME_LABEL: gateway["metadata"]["name"]}}
    spec = {"schedulerName": "none", "containers": [{"name": "envoy", "image": "envoy"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


POD_STATUS: Manifest = {
    "phase": "Running",
    "podIP": ADDRESS,
    "podIPs": [{"ip": ADDRESS}],
    "conditions": [{"type": kind, "status": "True"} for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")],
}


def _metadata(gateway: Mapping[str, Any], name: str) -> Manifest:
    """Owned by the Gateway, so that it goes with it."""
    metadata = gateway["metadata"]
    owner = {"apiVersion": gateway["apiVersion"], "kind": "Gateway", "name": metadata["name"], "uid": metadata["uid"]}
    return {"name": name, "namespace": metadata["namespace"], "ownerReferences": [owner]}


def bootstrap(gateway: Mapping[str, Any]) -> Manifest:
    """Envoy as the Gateway's proxy: it says who it is, and istiod says the rest.

    Its id carries the pod's address and name; without the label among its metadata, istiod leaves out the pickers.
    """
    metadata, name = gateway["metadata"], workload(gateway)
    namespace = metadata["namespace"]
    source = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}
    xds = {"envoy_grpc": {"cluster_name": "xds"}}
    return {
        "node": {
            "id": f"router~{ADDRESS}~{name}.{namespace}~{namespace}.svc.cluster.local",
            "cluster": f"{name}.{namespace}",
            "metadata": {"NAMESPACE": namespace, "LABELS": {NAME_LABEL: metadata["name"]}, "CLUSTER_ID": "Kubernetes"},
        },
        "admin": {"address": {"pipe": {"path": ADMIN, "mode": 0o600}}},
        "dynamic_resources": {
            "ads_config": {"api_type": "GRPC", "transport_api_version": "V3", "grpc_services": [xds]},
            "cds_config": source,
            "lds_config": source,
        },
        "static_resources": {"clusters": [_xds_cluster()]},
    }


def _xds_cluster() -> Manifest:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": XDS_PORT}}
    protocol = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    http2 = {"@type": f"type.googleapis.com/{protocol}", "explicit_http_config": {"http2_protocol_options": {}}}
    return {
        "name": "xds",
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": "xds", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]},
        "typed_extension_protocol_options": {protocol: http2},
    }


def mesh() -> str:
    """istiod's mesh configuration, as text."""
    return json.dumps(MESH, indent=1)
