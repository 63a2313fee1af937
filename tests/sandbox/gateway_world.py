"""A small world for the gateway's tests: objects as the API server would hand them out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.gateway.kinds import (
    BACKEND_POLICY,
    CONTROLLER,
    ENDPOINT_SLICE,
    GATEWAY,
    GATEWAY_API,
    GATEWAY_CLASS,
    HEALTH_CHECK,
    HTTP_ROUTE,
    LEGACY_POOL,
    NAMESPACE,
    POD,
    POOL,
    SERVICE,
    Kind,
)
from sandbox.gateway.objects import Objects, key_of

NS = "default"
CLASS = "gke-l7-regional-external-managed"
V1, LEGACY = POOL.group, LEGACY_POOL.group

Manifest = dict[str, Any]
Item = tuple[Kind, Manifest]


def objects(*items: Item) -> Objects:
    """A cluster that holds these, and our class."""
    found: dict[str, dict[Any, Any]] = {}
    for kind, manifest in (gateway_class(), *items):
        found.setdefault(kind.name, {})[key_of(manifest)] = manifest
    return Objects(found)


def _manifest(name: str, spec: Any, namespace: str = NS, generation: int = 1, **metadata: Any) -> Manifest:
    about = {"name": name, "namespace": namespace, "uid": f"uid-{name}", "generation": generation, **metadata}
    return {"metadata": {key: value for key, value in about.items() if value != ""}, "spec": spec}


def gateway_class(controller: str = CONTROLLER) -> Item:
    return GATEWAY_CLASS, _manifest(CLASS, {"controllerName": controller}, namespace="")


def gateway(name: str = "gw", listeners: Iterable[Mapping[str, Any]] = (), **more: Any) -> Item:
    default = {"name": "http", "protocol": "HTTP", "port": 80}
    spec = {"gatewayClassName": CLASS, "listeners": list(listeners) or [default]}
    return GATEWAY, _manifest(name, spec, **more)


def pool(name: str, *, legacy: bool = False, fail_open: bool = True, picker: bool = True, ports: Iterable[int] = (8000,)) -> Item:
    mode = "FailOpen" if fail_open else "FailClose"
    if legacy:
        spec = {"selector": {"app": name}, "targetPortNumber": 8000, "extensionRef": {"name": f"{name}-epp", "failureMode": mode}}
        return LEGACY_POOL, _manifest(name, spec)
    spec = {"selector": {"matchLabels": {"app": name}}, "targetPorts": [{"number": port} for port in ports]}
    if picker:
        spec["endpointPickerRef"] = {"name": f"{name}-epp", "port": {"number": 9002}, "failureMode": mode}
    return POOL, _manifest(name, spec)


def pod(name: str, ip: str, *, app: str, ready: bool = True, args: Iterable[str] = (), **metadata: Any) -> Item:
    manifest = _manifest(name, {"containers": [{"name": "c", "args": list(args)}]}, labels={"app": app}, **metadata)
    manifest["status"] = {"podIP": ip, "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
    return POD, manifest


def service(name: str, port: int = 80, **port_fields: Any) -> Item:
    ports = [{"name": "main", "port": port, **port_fields}]
    return SERVICE, _manifest(name, {"selector": {"app": name}, "ports": ports})


def endpoint_slice(service_name: str, port: int, *ips: str, unready: Iterable[str] = ()) -> Item:
    manifest = _manifest(f"{service_name}-x", None, labels={"kubernetes.io/service-name": service_name})
    endpoints = [{"addresses": [ip], "conditions": {"ready": ip not in unready}} for ip in ips]
    return ENDPOINT_SLICE, manifest | {"ports": [{"name": "main", "port": port}], "endpoints": endpoints}


def picker(pool_name: str, *ips: str, port: int = 9002) -> list[Item]:
    """The picker's Service and its endpoints."""
    return [service(f"{pool_name}-epp", 9002), endpoint_slice(f"{pool_name}-epp", port, *ips)]


def ref(name: str, weight: int | None = None, *, group: str = V1, **more: Any) -> Manifest:
    found = {"group": group, "kind": "InferencePool", "name": name, **more}
    return found if weight is None else found | {"weight": weight}


def service_ref(name: str, weight: int = 1, port: int = 80, **more: Any) -> Manifest:
    return {"name": name, "port": port, "weight": weight, **more}


def rule(*refs: Mapping[str, Any], matches: Iterable[Mapping[str, Any]] = (), **more: Any) -> Manifest:
    return {"backendRefs": list(refs), **({"matches": list(matches)} if matches else {}), **more}


def route(
    name: str,
    *rules: Mapping[str, Any],
    hostnames: Iterable[str] = (),
    parents: Iterable[Mapping[str, Any]] = ({"group": GATEWAY_API, "kind": "Gateway", "name": "gw"},),
    **more: Any,
) -> Item:
    return HTTP_ROUTE, _manifest(name, {"parentRefs": list(parents), "hostnames": list(hostnames), "rules": list(rules)}, **more)


def health_check(pool_name: str, **http: Any) -> Item:
    check = {"portSpecification": "USE_FIXED_PORT", "port": 8000, "requestPath": "/health", **http}
    default = {"checkIntervalSec": 2, "timeoutSec": 2, "config": {"type": "HTTP", "httpHealthCheck": check}}
    return HEALTH_CHECK, _manifest(pool_name, {"targetRef": _target(pool_name), "default": default})


def backend_policy(pool_name: str, timeout: int = 300, drain: int = 60) -> Item:
    default = {"timeoutSec": timeout, "connectionDraining": {"drainingTimeoutSec": drain}}
    return BACKEND_POLICY, _manifest(pool_name, {"targetRef": _target(pool_name), "default": default})


def _target(pool_name: str) -> Manifest:
    return {"group": V1, "kind": "InferencePool", "name": pool_name}


def namespace(name: str, **labels: str) -> Item:
    return NAMESPACE, _manifest(name, {}, namespace="", labels=labels)
