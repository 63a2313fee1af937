"""A GKE cluster's endpoint and authority, from the GKE API, for those who ask without Pulumi.

The program gets the same from `get_cluster` (components/cluster_access); here the answer is REST, and the token is at hand
already, so no credential plugin is needed. Fields: container.googleapis.com v1, projects.locations.clusters (2026-11).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from inference_rollouts.observe.google import token
from inference_rollouts.observe.kubeconfig import NoConnection
from inference_rollouts.settings import Cluster

API = "https://container.googleapis.com/v1"
SCOPES = ("https://www.googleapis.com/auth/cloud-platform", "https://www.googleapis.com/auth/userinfo.email")
"""What gke-gcloud-auth-plugin asks for: the second lets a RoleBinding name a service account by its address."""

TIMEOUTS = (5.0, 15.0)
"""Seconds to connect, and to wait for the answer."""

LOG_IN = (
    "log in (gcloud auth application-default login), or get a context (gcloud container clusters get-credentials {name} "
    "--location {location} --project {project})"
)


def kubeconfig(cluster: Cluster, project: str) -> str:
    """A kubeconfig (JSON is YAML) with a token that lasts for an hour.

    Args:
        cluster: a GKE cluster.
        project: its project.

    Raises:
        NoConnection: when the API does not say where the cluster is; the text says why and what to do.
    """
    found, bearer = _asked(cluster, project)
    server, authority = address(found, cluster.endpoint)
    name = str(cluster.name)
    there = {"server": server} | ({"certificate-authority-data": authority} if authority else {})
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": there}],
        "users": [{"name": name, "user": {"token": bearer}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    return json.dumps(config)


def _asked(cluster: Cluster, project: str) -> tuple[Mapping[str, Any], str]:
    """What the API says of the cluster, and the token it was asked with."""
    path = f"projects/{quote(project)}/locations/{quote(str(cluster.location))}/clusters/{quote(str(cluster.name))}"
    advice = LOG_IN.format(name=cluster.name, location=cluster.location, project=project)
    try:
        import requests

        bearer = token(SCOPES, TIMEOUTS[1])
        headers = {"Authorization": f"Bearer {bearer}"}
        answer = requests.get(f"{API}/{path}", headers=headers, timeout=TIMEOUTS, allow_redirects=False)
    except Exception as e:  # whatever google-auth or the network has to say
        raise NoConnection(f"the GKE API cannot be asked for {path}: {_told(e)}; {advice}") from e
    try:
        content = answer.json()
    except ValueError:
        content = {}
    if answer.status_code != 200 or not isinstance(content, dict):
        error = content.get("error") if isinstance(content, dict) else None
        said = error.get("message") if isinstance(error, dict) else answer.reason
        raise NoConnection(f"the GKE API answers HTTP {answer.status_code} for {path}: {_line(said)}; {advice}")
    return content, bearer


def address(cluster: Mapping[str, Any], endpoint: str) -> tuple[str, str | None]:
    """Server URL and certificate authority (base64; None for a publicly trusted certificate) of an endpoint.

    Args:
        cluster: as the API has it.
        endpoint: dns, private, public or connect-gateway.

    Raises:
        NoConnection: when the cluster has no such endpoint.
    """
    name, control = cluster.get("name"), cluster.get("controlPlaneEndpointsConfig") or {}
    authority = (cluster.get("masterAuth") or {}).get("clusterCaCertificate")
    if endpoint == "dns":
        host = (control.get("dnsEndpointConfig") or {}).get("endpoint")
        if not host:
            raise NoConnection(f"cluster {name} has no DNS endpoint; enable it, or say cluster.endpoint: public or private")
        return f"https://{host}", None
    if endpoint == "private":
        private = (control.get("ipEndpointsConfig") or {}).get("privateEndpoint")
        host = private or (cluster.get("privateClusterConfig") or {}).get("privateEndpoint")
        if not host:
            raise NoConnection(f"cluster {name} has no private endpoint; say cluster.endpoint: dns or public")
        return f"https://{host}", authority
    if endpoint == "connect-gateway":
        parts = ((cluster.get("fleet") or {}).get("membership") or "").rsplit("/", 5)
        if len(parts) != 6:
            raise NoConnection(f"cluster {name} is in no fleet; register it, or say cluster.endpoint: dns")
        gateway = f"https://connectgateway.googleapis.com/v1/projects/{parts[1]}/locations/{parts[3]}/gkeMemberships/{parts[5]}"
        return gateway, None
    host = cluster.get("endpoint")
    if not host:
        raise NoConnection(f"cluster {name} has no public endpoint; say cluster.endpoint: dns or private")
    return f"https://{host}", authority


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {_line(error)}" if str(error) else type(error).__name__


def _line(text: object) -> str:
    """In one line, and without a full stop: the sentence goes on after it."""
    return " ".join(str(text or "no reason given").split())[:300].rstrip(".")
