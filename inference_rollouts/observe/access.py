"""Which way leads from a stack file to its cluster, without Pulumi: a context of the ambient kubeconfig, or the GKE API."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from inference_rollouts.errors import nearest, one_of
from inference_rollouts.observe.kubeconfig import NoConnection
from inference_rollouts.settings import Cluster as Settings


@dataclass(frozen=True)
class Access:
    """A way to a cluster.

    Attributes:
        kubeconfig: its text; None for the ambient one.
        context: a context of the ambient one.
        server: the endpoint that is asked, for messages.
        said: which way it is.
    """

    kubeconfig: str | None
    context: str | None
    server: str
    said: str


def access_to(cluster: Settings, project: str | None) -> Access:
    """The way to a stack's cluster: its `context`; else gcloud's context for it, when there is one; else the GKE API.

    Args:
        cluster: from the stack file.
        project: of the cluster, where the file says it.

    Raises:
        NoConnection: when there is none; the text says why and what to do.
    """
    if cluster.context:
        return _by_context(cluster.context)
    if not project:
        raise NoConnection(f"the project of cluster {cluster.name} is not in the stack file; set gcp:project, or cluster.project")
    known, context = _contexts(required=False), context_of(cluster, project)
    # The endpoint that gcloud wrote is the operator's own choice, so it is not held against cluster.endpoint.
    if known and context in known:
        return _by_context(str(context))
    from inference_rollouts.observe import gke

    text = gke.kubeconfig(cluster, project)
    server = json.loads(text)["clusters"][0]["cluster"]["server"]
    name = f"projects/{project}/locations/{cluster.location}/clusters/{cluster.name}"
    return Access(text, None, server, f"{name}, by its {cluster.endpoint} endpoint from the GKE API")


def context_of(cluster: Settings, project: str | None) -> str | None:
    """The context by which kubectl reaches the cluster; None where it cannot be told.

    For GKE it is the one that `gcloud container clusters get-credentials` writes.
    """
    if cluster.context:
        return cluster.context
    return f"gke_{project}_{cluster.location}_{cluster.name}" if cluster.gke and project else None


def _by_context(context: str) -> Access:
    known = _contexts(required=True)
    if known is None:
        raise NoConnection(f"there is no kubeconfig at {_place()}, and so no context {context}; set KUBECONFIG to the one to use")
    if context not in known:
        others = f"; contexts there: {one_of(sorted(known))}" if known else ""
        raise NoConnection(f"the kubeconfig ({_place()}) has no context {context}{nearest(context, known)}{others}")
    return Access(None, context, known[context], f"context {context} of the kubeconfig")


def _place() -> str:
    return os.environ.get("KUBECONFIG") or "~/.kube/config"


def _contexts(*, required: bool) -> dict[str, str] | None:
    """Server by context of the ambient kubeconfig; None where there is none.

    Raises:
        NoConnection: when one is required, and it is not there or cannot be used.
    """
    try:
        from kubernetes.config.kube_config import KubeConfigMerger
    except ImportError as e:
        raise NoConnection(f"the Python package kubernetes cannot be imported ({e}); install requirements.txt") from e
    try:
        config = KubeConfigMerger(_place()).config
        return None if config is None else _servers(_plain(config))
    except Exception as e:  # the client does not check what it reads
        if required:
            told = f"{type(e).__name__}: {' '.join(str(e).split())[:300]}"
            raise NoConnection(f"the kubeconfig ({_place()}) cannot be used: {told}") from e
        return None


def _plain(node: Any) -> Any:
    """The merger wraps maps and lists in nodes of its own, at some depths."""
    value = getattr(node, "value", node)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _servers(config: Any) -> dict[str, str]:
    servers = {item["name"]: (item.get("cluster") or {}).get("server", "") for item in config.get("clusters") or ()}
    contexts = config.get("contexts") or ()
    return {item["name"]: str(servers.get((item.get("context") or {}).get("cluster"), "")) for item in contexts}
