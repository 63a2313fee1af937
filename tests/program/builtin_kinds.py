"""What must hold of the built-in kinds that this project registers: no schema is at hand, so the rules are written out.

Not the whole of Kubernetes' validation: names, labels, selectors, mounts, probes and references, where mistakes are made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Manifest = Mapping[str, Any]
Check = Callable[[Manifest, Sequence[Manifest]], Iterator[str]]
"""From an object, and all objects of the stack, to what is wrong with it."""

LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
LABEL_KEY = re.compile(r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
DNS_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
ROOM = 1 << 20
"""Bytes that a ConfigMap holds."""
ANNOTATIONS = 256 << 10
"""Bytes that all annotations of an object hold together."""


def metadata(manifest: Manifest, _: Sequence[Manifest]) -> Iterator[str]:
    """What holds of every kind."""
    meta = manifest["metadata"]
    if not DNS_NAME.fullmatch(meta["name"]):
        yield f"metadata.name {meta['name']!r} is no DNS name"
    if not DNS_LABEL.fullmatch(meta["namespace"]):
        yield f"metadata.namespace {meta['namespace']!r} is no DNS label"
    yield from _labels(meta.get("labels", {}))
    annotations = meta.get("annotations", {})
    for key, value in annotations.items():
        if not LABEL_KEY.fullmatch(key) or not isinstance(value, str):
            yield f"annotation {key} is no text under a proper key"
    if sum(len(key) + len(value) for key, value in annotations.items()) > ANNOTATIONS:
        yield "its annotations are too long"


def _labels(labels: Manifest) -> Iterator[str]:
    for key, value in labels.items():
        if not LABEL_KEY.fullmatch(key) or not isinstance(value, str) or not LABEL_VALUE.fullmatch(value):
            yield f"label {key}: {value!r} is no label"


def deployment(manifest: Manifest, everything: Sequence[Manifest]) -> Iterator[str]:
    yield from metadata(manifest, everything)
    spec = manifest["spec"]
    labels, selector = spec["template"]["metadata"]["labels"], spec["selector"]["matchLabels"]
    yield from _labels(labels)
    if not selector.items() <= labels.items():
        yield f"the selector {selector} finds none of its own pods {labels}"
    yield from _pod(spec["template"]["spec"], manifest, everything)


def _pod(pod: Manifest, manifest: Manifest, everything: Sequence[Manifest]) -> Iterator[str]:
    containers = [*pod.get("initContainers", ()), *pod["containers"]]
    if len({c["name"] for c in containers}) != len(containers):
        yield "two containers have the same name"
    volumes = {volume["name"] for volume in pod.get("volumes", ())}
    for container in containers:
        yield from _container(container, volumes)
    for volume in pod.get("volumes", ()):
        named = volume.get("configMap", {}).get("name")
        if named and not _exists("ConfigMap", named, manifest, everything):
            yield f"volume {volume['name']} is of ConfigMap {named}, which nobody registers"


def _container(container: Manifest, volumes: set[str]) -> Iterator[str]:
    name = container["name"]
    if not DNS_LABEL.fullmatch(name) or not container.get("image"):
        yield f"container {name!r} has no proper name or no image"
    ports = {port["name"] for port in container.get("ports", ())}
    if any(len(port) > 15 for port in ports):
        yield f"container {name} has a port name of more than 15 characters"
    mounts = container.get("volumeMounts", ())
    for mount in mounts:
        if mount["name"] not in volumes:
            yield f"container {name} mounts {mount['name']}, which is no volume"
    if len({mount["mountPath"] for mount in mounts}) != len(mounts):
        yield f"container {name} mounts two volumes at one path"
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        port = container.get(probe, {}).get("httpGet", {}).get("port")
        if isinstance(port, str) and port not in ports:
            yield f"container {name} is probed at {port}, which is no port of it"
    for entry in container.get("env", ()):
        if not isinstance(entry.get("value", ""), str):
            yield f"container {name}: {entry['name']} is no text"
    yield from _quantities(container.get("resources", {}), name)


def _quantities(resources: Manifest, name: str) -> Iterator[str]:
    for kind in ("requests", "limits"):
        for resource, amount in resources.get(kind, {}).items():
            if not isinstance(amount, str) or not re.fullmatch(r"[0-9]+(\.[0-9]+)?(m|[kMGT]i?)?", amount):
                yield f"container {name}: {kind} of {resource} is {amount!r}, which is no quantity"
    for resource, amount in resources.get("limits", {}).items():
        wanted = resources.get("requests", {}).get(resource, amount)
        if "/" in resource and wanted != amount:
            yield f"container {name}: extended resource {resource} asks for {wanted} and is limited to {amount}"


def _exists(kind: str, name: str, manifest: Manifest, everything: Sequence[Manifest]) -> bool:
    wanted = (kind, name, manifest["metadata"]["namespace"])
    return any((m["kind"], m["metadata"]["name"], m["metadata"]["namespace"]) == wanted for m in everything)


def _selects(selector: Manifest, manifest: Manifest, everything: Sequence[Manifest]) -> bool:
    """Whether some Deployment of the namespace has pods with these labels."""
    return any(
        selector.items() <= m["spec"]["template"]["metadata"]["labels"].items()
        for m in everything
        if m["kind"] == "Deployment" and m["metadata"]["namespace"] == manifest["metadata"]["namespace"]
    )


def disruption_budget(manifest: Manifest, everything: Sequence[Manifest]) -> Iterator[str]:
    yield from metadata(manifest, everything)
    if not _selects(manifest["spec"]["selector"]["matchLabels"], manifest, everything):
        yield "it protects no pod"
    if manifest["spec"].get("maxUnavailable") == 0:
        yield "no pod may ever go: node maintenance would wait for ever"


def autoscaler(manifest: Manifest, everything: Sequence[Manifest]) -> Iterator[str]:
    yield from metadata(manifest, everything)
    target = manifest["spec"]["scaleTargetRef"]["name"]
    found = [m for m in everything if m["kind"] == "Deployment" and m["metadata"]["name"] == target]
    if len(found) != 1:
        yield f"it scales {target}, which nobody registers"
    elif "replicas" in found[0]["spec"]:
        yield f"{target} sets its replicas too: every update would undo what the autoscaler did"
    if not 1 <= manifest["spec"]["minReplicas"] <= manifest["spec"]["maxReplicas"]:
        yield "its limits contradict each other"


def config_map(manifest: Manifest, everything: Sequence[Manifest]) -> Iterator[str]:
    yield from metadata(manifest, everything)
    if not all(isinstance(value, str) and re.fullmatch(r"[-._a-zA-Z0-9]+", key) for key, value in manifest["data"].items()):
        yield "its data is no text under proper keys"
    if sum(len(value.encode()) for value in manifest["data"].values()) > ROOM:
        yield "it holds more than 1 MiB"


def service(manifest: Manifest, everything: Sequence[Manifest]) -> Iterator[str]:
    yield from metadata(manifest, everything)
    if not DNS_LABEL.fullmatch(manifest["metadata"]["name"]):
        yield "the name of a Service is a DNS label"
    if not _selects(manifest["spec"]["selector"], manifest, everything):
        yield "it selects no pod"
    if any(len(port["name"]) > 15 for port in manifest["spec"]["ports"]):
        yield "a port name has at most 15 characters"


def role(manifest: Manifest, everything: Sequence[Manifest]) -> Iterator[str]:
    yield from metadata(manifest, everything)
    for rule in manifest["rules"]:
        if "*" in (*rule["verbs"], *rule["resources"], *rule["apiGroups"]):
            yield "it allows more than it names"


def role_binding(manifest: Manifest, everything: Sequence[Manifest]) -> Iterator[str]:
    yield from metadata(manifest, everything)
    named = [(manifest["roleRef"]["kind"], manifest["roleRef"]["name"])]
    named += [(subject["kind"], subject["name"]) for subject in manifest["subjects"]]
    for kind, name in named:
        if not _exists(kind, name, manifest, everything):
            yield f"it names {kind} {name}, which nobody registers"


CHECKS: Mapping[str, Check] = {
    "ConfigMap": config_map,
    "Deployment": deployment,
    "HorizontalPodAutoscaler": autoscaler,
    "PodDisruptionBudget": disruption_budget,
    "Role": role,
    "RoleBinding": role_binding,
    "Service": service,
    "ServiceAccount": metadata,
}
