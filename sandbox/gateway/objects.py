"""What stands in the cluster, as the translation reads it: plain values, no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.gateway.kinds import BACKEND_POLICY, HEALTH_CHECK, POOL_KINDS, Kind

Manifest = Mapping[str, Any]
Key = tuple[str, str]
"""Namespace (empty for cluster-wide objects) and name."""

PICKER_PORT = 9002
"""Port of a v1alpha2 pool's picker that names none."""


def key_of(manifest: Manifest) -> Key:
    """Namespace and name of an object."""
    metadata = manifest["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


@dataclass(frozen=True)
class Objects:
    """All objects that were read, by kind's name and key."""

    by_kind: Mapping[str, Mapping[Key, Manifest]]

    def all(self, kind: Kind) -> Iterator[Manifest]:
        """Every object of a kind, in the order of their keys."""
        found = self.by_kind.get(kind.name, {})
        return (found[key] for key in sorted(found))

    def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """One object, or None."""
        return self.by_kind.get(kind.name, {}).get((namespace, name))


@dataclass(frozen=True)
class Picker:
    """The endpoint picker of a pool: a Service, its port, and whether requests pass when it cannot be asked."""

    service: str
    port: int
    fail_open: bool


@dataclass(frozen=True)
class Pool:
    """An InferencePool of either group.

    Attributes:
        kind: POOL or LEGACY_POOL.
        selector: labels of its pods.
        ports: target ports of each pod.
        picker: None where the pool names none.
    """

    kind: Kind
    namespace: str
    name: str
    selector: Mapping[str, str]
    ports: tuple[int, ...]
    picker: Picker | None


def pool_of(kind: Kind, manifest: Manifest) -> Pool:
    """Read a pool, v1 or v1alpha2."""
    (namespace, name), spec = key_of(manifest), manifest["spec"]
    if kind.api_version.endswith("/v1"):
        selector, ports = spec["selector"].get("matchLabels") or {}, tuple(p["number"] for p in spec["targetPorts"])
        ref, port = spec.get("endpointPickerRef"), ((spec.get("endpointPickerRef") or {}).get("port") or {}).get("number")
    else:
        selector, ports = spec["selector"], (spec["targetPortNumber"],)
        ref, port = spec.get("extensionRef"), (spec.get("extensionRef") or {}).get("portNumber")
    picker = Picker(ref["name"], port or PICKER_PORT, ref.get("failureMode") == "FailOpen") if ref else None
    return Pool(kind, namespace, name, dict(selector), ports, picker)


def pools(objects: Objects) -> Iterator[Pool]:
    """Every pool of every group."""
    return (pool_of(kind, manifest) for kind in POOL_KINDS.values() for manifest in objects.all(kind))


@dataclass(frozen=True)
class HealthCheck:
    """An HTTP check, in seconds; `port` None means the serving port."""

    path: str
    port: int | None
    interval: int
    timeout: int
    healthy: int
    unhealthy: int


@dataclass(frozen=True)
class BackendSettings:
    """What GKE's policies say of one backend.

    Attributes:
        timeout: seconds for a whole reply; the load balancer's own default is 30.
        drain: seconds that requests under way may take when the backend leaves.
        check: None where there is no HealthCheckPolicy, or none of type HTTP: then the pods' readiness decides alone.
    """

    timeout: int = 30
    drain: int = 0
    check: HealthCheck | None = None


def settings_of(objects: Objects, namespace: str, group: str, kind: str, name: str) -> BackendSettings:
    """The settings of a backend from the policies that target it."""
    target = (group, kind, name)
    backend = _policy(objects, BACKEND_POLICY, namespace, target)
    return BackendSettings(
        timeout=backend.get("timeoutSec") or 30,
        drain=(backend.get("connectionDraining") or {}).get("drainingTimeoutSec") or 0,
        check=_check(_policy(objects, HEALTH_CHECK, namespace, target)),
    )


def _policy(objects: Objects, policy: Kind, namespace: str, target: tuple[str, str, str]) -> Manifest:
    """`default` of the oldest policy with that target; empty without one."""
    found = [
        manifest
        for manifest in objects.all(policy)
        if key_of(manifest)[0] == namespace and _target(manifest["spec"].get("targetRef") or {}) == target
    ]
    oldest = min(found, key=lambda m: (m["metadata"].get("creationTimestamp", ""), key_of(m)), default=None)
    return (oldest["spec"].get("default") or {}) if oldest else {}


def _target(ref: Manifest) -> tuple[str, Any, Any]:
    return ref.get("group") or "", ref.get("kind"), ref.get("name")


def _check(default: Manifest) -> HealthCheck | None:
    config = default.get("config") or {}
    http = config.get("httpHealthCheck") or {}
    if config.get("type") != "HTTP" or http.get("portSpecification") == "USE_NAMED_PORT":
        return None
    return HealthCheck(
        path=http.get("requestPath") or "/",
        port=http.get("port"),
        interval=default.get("checkIntervalSec") or 5,
        timeout=default.get("timeoutSec") or 5,
        healthy=default.get("healthyThreshold") or 2,
        unhealthy=default.get("unhealthyThreshold") or 2,
    )
