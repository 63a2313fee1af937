"""ClusterAccess: the kubernetes provider for a cluster that exists.

Owns no cloud resource. The credentials come from gke-gcloud-auth-plugin, so no token enters the state; `cluster_identifier`
keeps the provider, and with it every object, from being replaced when the endpoint is not known yet in a preview.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

import pulumi
from pulumi_gcp import container
from pulumi_kubernetes import Provider

__all__ = ["ClusterAccess", "ClusterAccessArgs"]


@dataclass(frozen=True, kw_only=True)
class ClusterAccessArgs:
    """Which cluster, and by which way.

    Attributes:
        name, location, project: of a GKE cluster; project None takes the provider's.
        endpoint: which endpoint of its control plane.
        context: a context of the ambient kubeconfig; wins over the endpoint.
    """

    name: str | None = None
    location: str | None = None
    project: str | None = None
    endpoint: Literal["dns", "private", "public", "connect-gateway"] = "dns"
    context: str | None = None


class ClusterAccess(pulumi.ComponentResource):
    """Access to one cluster.

    Args:
        name: logical name.
        args: see ClusterAccessArgs.
    """

    kubeconfig: pulumi.Output[str] | None = None
    """The provider's kubeconfig; None with a context of the ambient one."""
    context: str | None
    """A context of the ambient kubeconfig."""
    project: str | None
    """The cluster's project, where it is known from the config."""
    provider: Provider
    """The kubernetes provider; ConfigMaps are updated in place, where its default would delete and recreate them."""

    def __init__(self, name: str, args: ClusterAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-rollouts:index:ClusterAccess", name, {}, opts)
        self.context = args.context
        self.project = args.project or pulumi.Config("gcp").get("project")
        where: dict[str, Any] = {"context": args.context, "cluster_identifier": args.context}
        if args.name and args.location:
            where["cluster_identifier"] = f"projects/{self.project or '-'}/locations/{args.location}/clusters/{args.name}"
            if not args.context:
                where["kubeconfig"] = self.kubeconfig = _kubeconfig(args)
        self.provider = Provider(name, **where, enable_config_map_mutable=True, opts=pulumi.ResourceOptions(parent=self))
        self.register_outputs({})


def _kubeconfig(args: ClusterAccessArgs) -> pulumi.Output[str]:
    found = container.get_cluster_output(name=str(args.name), location=str(args.location), project=args.project)
    return found.apply(lambda cluster: kubeconfig(str(args.name), *address(cluster, args.endpoint)))


def address(cluster: Any, endpoint: str) -> tuple[str, str | None]:
    """Server URL and certificate authority (base64; None for a publicly trusted certificate) of an endpoint.

    Raises:
        pulumi.RunError: when the cluster has no such endpoint.
    """
    authority = cluster.master_auths[0].cluster_ca_certificate if cluster.master_auths else None
    if endpoint == "dns":
        configs = [dns for c in cluster.control_plane_endpoints_configs for dns in c.dns_endpoint_configs]
        if not configs or not configs[0].endpoint:
            raise pulumi.RunError(
                f"cluster {cluster.name} has no DNS endpoint; enable it, or say cluster.endpoint: public or private"
            )
        return f"https://{configs[0].endpoint}", None
    if endpoint == "private":
        configs = cluster.private_cluster_configs
        if not configs or not configs[0].private_endpoint:
            raise pulumi.RunError(f"cluster {cluster.name} has no private endpoint; say cluster.endpoint: dns or public")
        return f"https://{configs[0].private_endpoint}", authority
    if endpoint == "connect-gateway":
        if not cluster.fleets or not cluster.fleets[0].membership:
            raise pulumi.RunError(f"cluster {cluster.name} is in no fleet; register it, or say cluster.endpoint: dns")
        return _connect_gateway(cluster.fleets[0].membership), None
    return f"https://{cluster.endpoint}", authority


def _connect_gateway(membership: str) -> str:
    """`//gkehub.googleapis.com/projects/P/locations/L/memberships/M` to the URL of the connect gateway."""
    parts = membership.rsplit("/", 5)
    return f"https://connectgateway.googleapis.com/v1/projects/{parts[1]}/locations/{parts[3]}/gkeMemberships/{parts[5]}"


def kubeconfig(name: str, server: str, authority: str | None) -> str:
    """A kubeconfig (JSON is YAML) that takes its token from gke-gcloud-auth-plugin."""
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "gke-gcloud-auth-plugin",
        "provideClusterInfo": True,
        "interactiveMode": "Never",
        "installHint": "Install gke-gcloud-auth-plugin, the credential plugin of gcloud for GKE",
    }
    cluster = {"server": server} | ({"certificate-authority-data": authority} if authority else {})
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": {"exec": plugin}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    return json.dumps(config)
