"""What `rollout import --live` reads of a cluster: lists of objects in one namespace, never Secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from inference_rollouts.errors import InputError, Problem
from inference_rollouts.observe.cluster import Cluster, Found, Unreadable
from inference_rollouts.takeover import words
from inference_rollouts.takeover.findings import Finding
from inference_rollouts.takeover.inventory import Existing, Inventory, existing
from inference_rollouts.takeover.kinds import KINDS, NEEDED

GKE_CONTEXT = re.compile(r"gke_(?P<project>[^_]+)_(?P<location>[^_]+)_(?P<name>.+)")
"""How `gcloud container clusters get-credentials` names a context."""


def read(cluster: Cluster, namespace: str, name: str) -> tuple[Inventory, list[Finding]]:
    """All objects of a namespace that could belong to a service.

    Args:
        cluster: the cluster.
        namespace: the namespace.
        name: how findings name the cluster.

    Raises:
        InputError: when the cluster cannot be read at all.
    """
    objects: list[Existing] = []
    findings: list[Finding] = []
    unread: set[str] = set()
    for version, kind in KINDS:
        # The reader adds an s, and these two plurals are not made so.
        answer = cluster.list(version, f"{kind[:-1]}ie" if kind.endswith("Policy") else kind, namespace, {})
        if isinstance(answer, Found):
            objects += [existing({"apiVersion": version, "kind": kind, **item}, namespace, name, 0) for item in _items(answer)]
        elif isinstance(answer, Unreadable) and not answer.reason.startswith("HTTP"):
            raise InputError([Problem("", f"cannot be read: {answer.reason}", name)])
        elif (isinstance(answer, Unreadable) and not answer.reason.startswith("HTTP 404")) or (version, kind) in NEEDED:
            reason = answer.reason if isinstance(answer, Unreadable) else "the API server does not know the kind"
            findings.append(Finding("cannot", words.unreadable_kind(kind, namespace, reason), name))
            unread.add(kind)
    return Inventory(objects, {(kind, namespace) for _, kind in KINDS if kind not in unread}), findings


def _items(answer: Found) -> Iterator[Mapping[str, Any]]:
    for item in answer.value:
        if isinstance(item, Mapping) and isinstance(item.get("metadata"), Mapping) and item["metadata"].get("name"):
            yield item


def of_context(context: str) -> tuple[dict[str, Any], str | None]:
    """`cluster` of a stack config, and `gcp:project`, by the name of a context."""
    found = GKE_CONTEXT.fullmatch(context)
    if found is None:
        return {"context": context}, None
    return {"name": found["name"], "location": found["location"]}, found["project"]


def current_context() -> str:
    """The current context of the ambient kubeconfig.

    Raises:
        InputError: when there is none.
    """
    from kubernetes.config import ConfigException, list_kube_config_contexts

    try:
        _, active = list_kube_config_contexts()
    except (ConfigException, OSError, TypeError, KeyError) as e:
        raise InputError(
            [Problem("", f"there is no context to read: {' '.join(str(e).split())}; give --context", "kubeconfig")]
        ) from None
    return str(active["name"])
