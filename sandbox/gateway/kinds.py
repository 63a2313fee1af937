"""The Kubernetes resources that the controller watches."""

from __future__ import annotations

from dataclasses import dataclass

CONTROLLER = "networking.gke.io/gateway"
GATEWAY_API = "gateway.networking.k8s.io"


@dataclass(frozen=True)
class Kind:
    """One resource.

    Attributes:
        name: what the controller calls it; the manifest's kind, unless two groups have the same.
        api_version, plural: of its REST path.
        optional: whether the cluster may lack its CRD.
        namespaced: False for cluster-wide ones.
    """

    name: str
    api_version: str
    plural: str
    optional: bool = False
    namespaced: bool = True

    @property
    def group(self) -> str:
        """API group; empty for the core's."""
        return self.api_version.rpartition("/")[0]

    @property
    def collection(self) -> str:
        """Path of all objects in all namespaces."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"
        return f"{root}/{self.plural}"

    def path(self, namespace: str, name: str) -> str:
        """Path of one object."""
        if not self.namespaced:
            return f"{self.collection}/{name}"
        return f"{self.collection.removesuffix(self.plural)}namespaces/{namespace}/{self.plural}/{name}"


GATEWAY_CLASS = Kind("GatewayClass", f"{GATEWAY_API}/v1", "gatewayclasses", namespaced=False)
GATEWAY = Kind("Gateway", f"{GATEWAY_API}/v1", "gateways")
HTTP_ROUTE = Kind("HTTPRoute", f"{GATEWAY_API}/v1", "httproutes")
POOL = Kind("InferencePool", "inference.networking.k8s.io/v1", "inferencepools")
LEGACY_POOL = Kind("LegacyInferencePool", "inference.networking.x-k8s.io/v1alpha2", "inferencepools", optional=True)
HEALTH_CHECK = Kind("HealthCheckPolicy", "networking.gke.io/v1", "healthcheckpolicies", optional=True)
BACKEND_POLICY = Kind("GCPBackendPolicy", "networking.gke.io/v1", "gcpbackendpolicies", optional=True)
SERVICE = Kind("Service", "v1", "services")
ENDPOINT_SLICE = Kind("EndpointSlice", "discovery.k8s.io/v1", "endpointslices")
POD = Kind("Pod", "v1", "pods")
NAMESPACE = Kind("Namespace", "v1", "namespaces", namespaced=False)

POOL_KINDS = {kind.group: kind for kind in (POOL, LEGACY_POOL)}
"""By the group that a backendRef names."""

WATCHED = (
    GATEWAY_CLASS,
    GATEWAY,
    HTTP_ROUTE,
    POOL,
    LEGACY_POOL,
    HEALTH_CHECK,
    BACKEND_POLICY,
    SERVICE,
    ENDPOINT_SLICE,
    POD,
    NAMESPACE,
)
