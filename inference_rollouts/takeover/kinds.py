"""The kinds of objects that a service can be made of, and what was probably meant by one that is none."""

from __future__ import annotations

import difflib

NEEDED = (("gateway.networking.k8s.io/v1", "HTTPRoute"), ("apps/v1", "Deployment"))
"""Without these there is nothing to take over."""

KINDS = (
    *NEEDED,
    ("inference.networking.k8s.io/v1", "InferencePool"),
    ("inference.networking.x-k8s.io/v1alpha2", "InferencePool"),
    ("inference.networking.x-k8s.io/v1alpha2", "InferenceModel"),
    ("inference.networking.x-k8s.io/v1alpha2", "InferenceModelRewrite"),
    ("inference.networking.x-k8s.io/v1alpha2", "InferenceObjective"),
    ("llm-d.ai/v1alpha2", "InferenceModelRewrite"),
    ("llm-d.ai/v1alpha2", "InferenceObjective"),
    ("apps/v1", "StatefulSet"),
    ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("policy/v1", "PodDisruptionBudget"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("v1", "ConfigMap"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("networking.gke.io/v1", "HealthCheckPolicy"),
    ("networking.gke.io/v1", "GCPBackendPolicy"),
    ("monitoring.googleapis.com/v1", "PodMonitoring"),
)

ALIKE = 0.85
"""Least likeness of a misspelt kind; TCPRoute, a kind of the same group, is less like HTTPRoute."""


def near_kind(version: str, kind: str) -> str | None:
    """The kind of the same API group that was probably meant; None for a kind that is right, or like none.

    >>> near_kind("gateway.networking.k8s.io/v1", "HTTPRout"), near_kind("gateway.networking.k8s.io/v1", "TCPRoute")
    ('HTTPRoute', None)
    """
    group = _group(version)
    known = {known.lower(): known for version, known in KINDS if _group(version) == group}
    near = difflib.get_close_matches(kind.lower(), known, n=1, cutoff=ALIKE)
    return known[near[0]] if near and known[near[0]] != kind else None


def _group(version: str) -> str:
    return version.rpartition("/")[0]
