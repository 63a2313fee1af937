"""What a backendRef means: an Envoy cluster, the picker that is asked first, or the reason why it cannot be served."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.gateway.kinds import POOL_KINDS, SERVICE, Kind
from sandbox.gateway.objects import BackendSettings, Manifest, Objects, Pool, key_of, pool_of, settings_of


@dataclass(frozen=True)
class Backend:
    """A backend that can be served.

    Attributes:
        name: of the pool or Service; clients read it in the reply's header.
        cluster: Envoy's cluster.
        picker: cluster of its endpoint picker, None without one.
        fail_open: whether requests pass when the picker cannot be asked.
        settings: what the policies say of it.
    """

    name: str
    cluster: str
    picker: str | None
    fail_open: bool
    settings: BackendSettings


@dataclass(frozen=True)
class Unresolved:
    """A backend that cannot be: its share is answered with 500. `reason` is one of the condition ResolvedRefs."""

    name: str
    reason: str
    message: str


def pool_cluster(pool: Pool) -> str:
    """Name of a pool's cluster; no name in it has an underscore."""
    version = pool.kind.api_version.rpartition("/")[2]
    return f"pool_{version}_{pool.namespace}_{pool.name}"


def picker_cluster(pool: Pool) -> str | None:
    """Name of the cluster of a pool's picker; pools may share one."""
    return f"picker_{pool.namespace}_{pool.picker.service}_{pool.picker.port}" if pool.picker else None


def service_cluster(namespace: str, name: str, port: int) -> str:
    """Name of the cluster of a Service's port."""
    return f"service_{namespace}_{name}_{port}"


def backend(objects: Objects, route: Manifest, ref: Manifest) -> Backend | Unresolved:
    """Resolve one backendRef of a route; another namespace would need a ReferenceGrant, which is never taken as given."""
    namespace, name = key_of(route)[0], ref["name"]
    if ref.get("namespace") not in (None, namespace):
        return Unresolved(
            name, "RefNotPermitted", f"{name} is in the namespace {ref['namespace']}; no cross-namespace backends here"
        )
    group, kind = ref.get("group") or "", ref.get("kind") or "Service"
    if kind == "InferencePool" and group in POOL_KINDS:
        return _pool(objects, POOL_KINDS[group], namespace, name)
    if (group, kind) == ("", "Service"):
        return _service(objects, namespace, name, ref.get("port"))
    return Unresolved(
        name, "InvalidKind", f"{name} is of the kind {kind} in the group {group or 'core'}, which cannot be a backend"
    )


def _pool(objects: Objects, kind: Kind, namespace: str, name: str) -> Backend | Unresolved:
    manifest = objects.get(kind, namespace, name)
    if manifest is None:
        return Unresolved(name, "BackendNotFound", f"there is no InferencePool {name} in {kind.group}, namespace {namespace}")
    pool = pool_of(kind, manifest)
    settings = settings_of(objects, namespace, kind.group, "InferencePool", name)
    fail_open = pool.picker is not None and pool.picker.fail_open
    return Backend(name, pool_cluster(pool), picker_cluster(pool), fail_open, settings)


def _service(objects: Objects, namespace: str, name: str, port: int | None) -> Backend | Unresolved:
    manifest = objects.get(SERVICE, namespace, name)
    if manifest is None:
        return Unresolved(name, "BackendNotFound", f"there is no Service {name} in the namespace {namespace}")
    if port not in {p["port"] for p in manifest["spec"].get("ports") or ()}:
        return Unresolved(name, "BackendNotFound", f"the Service {name} has no port {port}")
    settings = settings_of(objects, namespace, "", "Service", name)
    return Backend(name, service_cluster(namespace, name, int(port or 0)), None, False, settings)
