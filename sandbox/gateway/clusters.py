"""Envoy's clusters and their endpoints: one for each pool, for each picker, for each port of a Service that routes name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.gateway.backends import picker_cluster, pool_cluster, service_cluster
from sandbox.gateway.bootstrap import file_source
from sandbox.gateway.files import GatewayFiles
from sandbox.gateway.kinds import ENDPOINT_SLICE, POD, SERVICE
from sandbox.gateway.objects import HealthCheck, Manifest, Objects, Picker, Pool, key_of, pools, settings_of

DESTINATION = "x-gateway-destination-endpoint"
"""Header in which a picker names the pod, or several in the order of preference."""
SERVED = "x-gateway-destination-endpoint-served"
POLICY = "type.googleapis.com/envoy.extensions.load_balancing_policies"
PROTOCOL = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
UNLIMITED = 1_000_000


@dataclass(frozen=True)
class Target:
    """One cluster and what stands behind it.

    Attributes:
        cluster: Envoy's Cluster.
        endpoints: addresses and ports, sorted.
        drain: seconds that the cluster stays after the last route has left it.
        check_port: asked for health in the place of each endpoint's own port.
    """

    cluster: dict[str, Any]
    endpoints: tuple[tuple[str, int], ...]
    drain: int
    check_port: int | None = None

    @property
    def name(self) -> str:
        """Of the cluster."""
        return str(self.cluster["name"])

    def assignment(self) -> dict[str, Any]:
        """Envoy's ClusterLoadAssignment."""
        check = {"health_check_config": {"port_value": self.check_port}} if self.check_port else {}
        hosts = [
            {"endpoint": {"address": {"socket_address": {"address": ip, "port_value": port}}, **check}}
            for ip, port in self.endpoints
        ]
        return empty_assignment(self.name) | ({"endpoints": [{"lb_endpoints": hosts}]} if hosts else {})


def empty_assignment(cluster: str) -> dict[str, Any]:
    """Envoy's ClusterLoadAssignment of a cluster without endpoints."""
    return {
        "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": cluster,
        "endpoints": [],
    }


def targets(
    objects: Objects, files: GatewayFiles, services: set[tuple[str, str, int]], *, checks: bool = True
) -> dict[str, Target]:
    """Every cluster that there could be, by name; the routes decide which of them are written.

    Args:
        objects: what stands.
        files: where the endpoints are written.
        services: namespace, name and port of the Services that routes name.
        checks: whether pods are asked for health beside their readiness.
    """
    found = [target for pool in pools(objects) for target in _pool(objects, files, pool, checks=checks)]
    found += [_service(objects, files, *service) for service in sorted(services)]
    return {target.name: target for target in found}


def _pool(objects: Objects, files: GatewayFiles, pool: Pool, *, checks: bool) -> Iterator[Target]:
    settings = settings_of(objects, pool.namespace, pool.kind.group, "InferencePool", pool.name)
    check = settings.check if checks else None
    cluster = _cluster(files, pool_cluster(pool), _override(), settings.timeout)
    if check:
        cluster["health_checks"] = [_health_check(check)]
        cluster["ignore_health_on_host_removal"] = True
    port = check.port if check else None
    yield Target(cluster, _pods(objects, pool), settings.drain, port if port not in pool.ports else None)
    if pool.picker and (name := picker_cluster(pool)):
        secure = _is_secure(objects, pool.namespace, pool.picker)
        endpoints = service_endpoints(objects, pool.namespace, pool.picker.service, pool.picker.port)
        yield Target(_picker(files, name, secure=secure), endpoints, settings.drain)


def _service(objects: Objects, files: GatewayFiles, namespace: str, name: str, port: int) -> Target:
    settings = settings_of(objects, namespace, "", "Service", name)
    cluster = _cluster(files, service_cluster(namespace, name, port), _least_request(), settings.timeout)
    return Target(cluster, service_endpoints(objects, namespace, name, port), settings.drain)


def _cluster(files: GatewayFiles, name: str, policy: dict[str, Any], timeout: int) -> dict[str, Any]:
    limits = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests", "max_retries"), UNLIMITED)
    return {
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": file_source(str(files.endpoints(name)))},
        "connect_timeout": f"{min(timeout, 5)}s",
        "load_balancing_policy": policy,
        "circuit_breakers": {"thresholds": [limits]},
        # Where all are unhealthy there is no backend: better a clear 503 than a guess.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
    }


def _policies(name: str, config: dict[str, Any]) -> dict[str, Any]:
    typed = {"name": f"envoy.load_balancing_policies.{name}", "typed_config": config}
    return {"policies": [{"typed_extension_config": typed}]}


def _least_request() -> dict[str, Any]:
    return _policies("least_request", {"@type": f"{POLICY}.least_request.v3.LeastRequest"})


def _override() -> dict[str, Any]:
    """The pod that the picker names; any other ready one where it is gone or where no picker could be asked."""
    served = {"key": "envoy.lb", "path": [{"key": SERVED}]}
    config = {
        "@type": f"{POLICY}.override_host.v3.OverrideHost",
        "override_host_sources": [{"header": DESTINATION}],
        "selected_host_key": served,
        "fallback_policy": _least_request(),
    }
    return _policies("override_host", config)


def _health_check(check: HealthCheck) -> dict[str, Any]:
    return {
        "timeout": f"{check.timeout}s",
        "interval": f"{check.interval}s",
        "no_traffic_interval": f"{check.interval}s",
        "healthy_threshold": check.healthy,
        "unhealthy_threshold": check.unhealthy,
        "http_health_check": {"path": check.path},
    }


def _picker(files: GatewayFiles, name: str, *, secure: bool) -> dict[str, Any]:
    keep_alive = {"interval": "10s", "timeout": "10s"}
    http2 = {"explicit_http_config": {"http2_protocol_options": {"connection_keepalive": keep_alive}}}
    cluster = _cluster(files, name, _least_request(), 2)
    cluster["typed_extension_protocol_options"] = {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {"@type": PROTOCOL, **http2}
    }
    if secure:
        # A picker makes its own certificate: nobody can check who it is.
        context = {"@type": TLS, "common_tls_context": {"alpn_protocols": ["h2"]}}
        cluster["transport_socket"] = {"name": "tls", "typed_config": context}
    return cluster


def _is_secure(objects: Objects, namespace: str, picker: Picker) -> bool:
    """Whether a picker speaks TLS. On GKE it does; in the sandbox it is started without, unless its own arguments ask for it."""
    service = objects.get(SERVICE, namespace, picker.service)
    selector = (service or {"spec": {}})["spec"].get("selector")
    pods = [pod for pod in objects.all(POD) if key_of(pod)[0] == namespace and _has(pod, selector)] if selector else []
    arguments = {argument.lstrip("-") for pod in pods for c in pod["spec"]["containers"] for argument in c.get("args") or ()}
    return not arguments.isdisjoint({"secure-serving", "secure-serving=true"})


def _has(pod: Manifest, labels: Mapping[str, str]) -> bool:
    own = pod["metadata"].get("labels") or {}
    return all(own.get(key) == value for key, value in labels.items())


def _pods(objects: Objects, pool: Pool) -> tuple[tuple[str, int], ...]:
    """Every ready pod of a pool, on each of its ports."""
    if not pool.selector:
        return ()
    ips = [
        pod["status"]["podIP"]
        for pod in objects.all(POD)
        if key_of(pod)[0] == pool.namespace and _has(pod, pool.selector) and _is_ready(pod)
    ]
    return tuple(sorted((ip, port) for ip in ips for port in pool.ports))


def _is_ready(pod: Manifest) -> bool:
    status = pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp") or not status.get("podIP"):
        return False
    return any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ())


def service_endpoints(objects: Objects, namespace: str, name: str, port: int) -> tuple[tuple[str, int], ...]:
    """Ready endpoints of a Service's port, from its EndpointSlices."""
    service = objects.get(SERVICE, namespace, name) or {"spec": {}}
    port_name = next((p.get("name") or "" for p in service["spec"].get("ports") or () if p["port"] == port), None)
    if port_name is None:
        return ()
    found: set[tuple[str, int]] = set()
    for piece in objects.all(ENDPOINT_SLICE):
        labels = piece["metadata"].get("labels") or {}
        if key_of(piece)[0] == namespace and labels.get("kubernetes.io/service-name") == name:
            found |= _of_slice(piece, port_name)
    return tuple(sorted(found))


def _of_slice(piece: Manifest, port_name: str) -> set[tuple[str, int]]:
    numbers = [p["port"] for p in piece.get("ports") or () if (p.get("name") or "") == port_name and p.get("port")]
    ready = [e for e in piece.get("endpoints") or () if (e.get("conditions") or {}).get("ready") is not False]
    return {(address, number) for endpoint in ready for address in endpoint["addresses"][:1] for number in numbers}
