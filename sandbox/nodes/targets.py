"""What Prometheus scrapes: targets with the labels that Google Managed Prometheus gives to what PodMonitorings select."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

Monitoring = Mapping[str, Any]


class Scraped(Protocol):
    """A pod, as far as Prometheus is concerned."""

    ip: str
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def namespace(self) -> str:
        """Its namespace."""
        ...

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""
        ...


def targets(pods: Iterable[Scraped], monitorings: Sequence[Monitoring], place: Mapping[str, str]) -> list[dict[str, Any]]:
    """Entries for file_sd: one for each pod and endpoint that a PodMonitoring selects.

    Args:
        pods: that run.
        monitorings: PodMonitorings of all namespaces.
        place: further labels: cluster, location, project_id.
    """
    found = []
    for pod in pods:
        for monitoring in monitorings:
            meta, spec = monitoring["metadata"], monitoring["spec"]
            wanted = (spec.get("selector") or {}).get("matchLabels") or {}
            if meta["namespace"] != pod.namespace or not all(pod.labels.get(k) == v for k, v in wanted.items()):
                continue
            found += [_entry(pod, meta["name"], endpoint, place) for endpoint in spec.get("endpoints") or ()]
    return sorted((entry for entry in found if entry), key=lambda entry: (entry["labels"]["job"], entry["targets"]))


def _entry(pod: Scraped, job: str, endpoint: Mapping[str, Any], place: Mapping[str, str]) -> dict[str, Any]:
    container, port = _port(pod.manifest["spec"], endpoint["port"])
    if not port:
        return {}
    labels = {
        "job": job,
        "namespace": pod.namespace,
        "pod": pod.name,
        "container": container,
        "instance": f"{pod.name}:{endpoint['port']}",
        "__metrics_path__": endpoint.get("path") or "/metrics",
        **place,
    }
    return {"targets": [f"{pod.ip}:{port}"], "labels": labels}


def _port(spec: Mapping[str, Any], wanted: str | int) -> tuple[str, int]:
    for container in [*(spec.get("initContainers") or ()), *spec["containers"]]:
        for port in container.get("ports") or ():
            if wanted in (port.get("name"), port["containerPort"]):
                return container["name"], port["containerPort"]
    return "", 0
