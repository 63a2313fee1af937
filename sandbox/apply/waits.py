"""What `pulumi up` would wait for after it wrote an object: pulumi-kubernetes' own await logic, and `pulumi.com/waitFor`.

Pure: from the object as it stands to what is still missing. Sources: pulumi-kubernetes, provider/pkg/await (deployment.go,
service.go) and provider/pkg/metadata/overrides.go.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jsonpath

WAIT_FOR = "pulumi.com/waitFor"
SKIP_AWAIT = "pulumi.com/skipAwait"
TIMEOUT = "pulumi.com/timeoutSeconds"
DEFAULT_TIMEOUT = 600.0
"""Seconds: what the provider waits for a kind that it knows."""


def timeout_of(manifest: Mapping[str, Any]) -> float:
    """Seconds that are waited at most."""
    return float(_annotations(manifest).get(TIMEOUT) or DEFAULT_TIMEOUT)


def is_awaited(manifest: Mapping[str, Any]) -> bool:
    """Whether there is anything to wait for."""
    annotations = _annotations(manifest)
    return WAIT_FOR in annotations or (manifest["kind"] == "Deployment" and annotations.get(SKIP_AWAIT) != "true")


def missing(manifest: Mapping[str, Any], live: Mapping[str, Any]) -> str:
    """What is still waited for; empty when everything is there.

    Args:
        manifest: as it was applied.
        live: as it stands now.
    """
    wanted = _annotations(manifest).get(WAIT_FOR)
    if wanted:
        return next((reason for path in _paths(wanted) if (reason := _unmet(path, live))), "")
    return _deployment(live) if manifest["kind"] == "Deployment" else ""


def _annotations(manifest: Mapping[str, Any]) -> Mapping[str, str]:
    return manifest["metadata"].get("annotations") or {}


def _paths(text: str) -> list[str]:
    return json.loads(text) if text.startswith("[") else [text]


def _unmet(expression: str, live: Mapping[str, Any]) -> str:
    """`jsonpath={.path}=value`: only the first match counts, as with the provider."""
    path, _, value = expression.removeprefix("jsonpath={").rpartition("}=")
    found = [match.value for match in jsonpath.finditer(f"${path}", dict(live))]
    return "" if found and str(found[0]) == value else f"{expression} (now {found[0] if found else 'nothing'})"


def _deployment(live: Mapping[str, Any]) -> str:
    """All replicas of the current generation are there and available, and none of an older one is left."""
    meta, spec, status = live["metadata"], live["spec"], live.get("status") or {}
    wanted = spec.get("replicas", 1)
    if status.get("observedGeneration", 0) < meta["generation"]:
        return "the Deployment controller has not seen it yet"
    counts = {key: status.get(f"{key}Replicas", 0) for key in ("updated", "available")}
    if counts["updated"] < wanted or status.get("replicas", 0) > counts["updated"] or counts["available"] < wanted:
        return f"{counts['available']} of {wanted} replicas are available, {counts['updated']} up to date"
    return ""
