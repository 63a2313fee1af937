"""The objects that exist, by kind, namespace and name, and where each was read."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from inference_rollouts.takeover.findings import Finding, Level
from inference_rollouts.takeover.shapes import part, parts

SERVER_METADATA = ("managedFields", "uid", "resourceVersion", "creationTimestamp", "generation", "selfLink", "ownerReferences")
"""What the API server writes, and no manifest says."""

SERVER_ANNOTATIONS = ("kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision")

Key = tuple[str, str, str]
"""Kind, namespace and name."""


@dataclass(frozen=True)
class Existing:
    """One object that exists.

    Attributes:
        manifest: without status and what the API server adds.
        raw: as it was read.
        file: the file, or the name of the cluster's context.
        line: 1-based line of the document; 0 when it has none.
    """

    manifest: Mapping[str, Any]
    raw: Mapping[str, Any] = field(repr=False)
    file: str = ""
    line: int = 0

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.manifest["kind"])

    @property
    def group(self) -> str:
        """Its API group; empty for the core."""
        version = str(self.manifest["apiVersion"])
        return version.rpartition("/")[0]

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.manifest["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Its namespace; empty for an object of the whole cluster."""
        return str(self.manifest["metadata"].get("namespace", ""))

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""
        return _texts(part(self.manifest, "metadata", "labels"))

    @property
    def annotations(self) -> Mapping[str, str]:
        """Its annotations."""
        return _texts(part(self.manifest, "metadata", "annotations"))

    @property
    def spec(self) -> Mapping[str, Any]:
        """Its spec; empty when it is none."""
        return part(self.manifest, "spec")

    @property
    def title(self) -> str:
        """Kind, namespace and name, as a person says it."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    def says(self, level: Level, message: str, path: str = "") -> Finding:
        """A finding about this object."""
        return Finding(level, message, self.file, self.line, self.title, path)

    @property
    def managers(self) -> set[str]:
        """Names of those who wrote fields of it, but for status."""
        fields = parts(part(self.raw, "metadata").get("managedFields"))
        return {str(f.get("manager")) for f in fields if f.get("subresource") != "status"}

    @property
    def owner(self) -> str | None:
        """Kind and name of the controller that owns it."""
        found = [o for o in parts(part(self.raw, "metadata").get("ownerReferences")) if o.get("controller")]
        return f"{found[0].get('kind')} {found[0].get('name')}" if found else None

    @property
    def release(self) -> str | None:
        """Name of the Helm release that made it."""
        by_helm = self.labels.get("app.kubernetes.io/managed-by") == "Helm"
        return self.annotations.get("meta.helm.sh/release-name") or ("(unnamed)" if by_helm else None)


def existing(raw: Mapping[str, Any], namespace: str, file: str, line: int) -> Existing:
    """An object as it was read; one that names no namespace gets the default one."""
    manifest = copy.deepcopy({key: value for key, value in raw.items() if key != "status"})
    meta = manifest["metadata"] = dict(part(manifest, "metadata"))
    for key in SERVER_METADATA:
        meta.pop(key, None)
    meta["annotations"] = {k: v for k, v in part(meta, "annotations").items() if k not in SERVER_ANNOTATIONS}
    if not meta["annotations"]:
        del meta["annotations"]
    if not str(manifest["kind"]).startswith("Cluster"):
        meta.setdefault("namespace", namespace)
    return Existing(manifest, raw, file, line)


class Inventory:
    """Everything that was read.

    Attributes:
        objects: in the order they were read, each once.
        twice: what came a second time.
    """

    def __init__(self, objects: Iterable[Existing], complete: Iterable[tuple[str, str]] = ()) -> None:
        """Make one.

        Args:
            objects: what was read.
            complete: each kind with a namespace of which a live cluster has given all there is.
        """
        self.objects: list[Existing] = []
        self.twice: list[Existing] = []
        self._complete = frozenset(complete)
        self._by_key: dict[Key, list[Existing]] = {}
        for found in objects:
            others = self._by_key.setdefault((found.kind, found.namespace, found.name), [])
            if any(found.group == other.group for other in others):
                self.twice.append(found)
            else:
                others.append(found)
                self.objects.append(found)

    def get(self, kind: str, namespace: str, name: str, group: str | None = None) -> Existing | None:
        """One object; of the first group that was read, where none is named."""
        found = self._by_key.get((kind, namespace, name), ())
        return next((one for one in found if group in (None, one.group)), None)

    def has_all(self, kind: str, namespace: str) -> bool:
        """Whether what is not here is nowhere; files never say that."""
        return (kind, namespace) in self._complete

    def same(self, manifest: Mapping[str, Any]) -> Existing | None:
        """The object that exists under a manifest's kind, group, namespace and name."""
        meta = manifest["metadata"]
        group = str(manifest["apiVersion"]).rpartition("/")[0]
        return self.get(manifest["kind"], meta.get("namespace", ""), meta["name"], group)

    def of_kind(self, *kinds: str, namespace: str | None = None) -> Iterator[Existing]:
        """All objects of some kinds, in the order they were read."""
        for found in self.objects:
            if found.kind in kinds and namespace in (None, found.namespace):
                yield found

    def selected(self, kinds: tuple[str, ...], namespace: str, selector: Mapping[str, Any]) -> list[Existing]:
        """The workloads whose pods have all the labels."""
        if not selector:
            return []
        return [w for w in self.of_kind(*kinds, namespace=namespace) if selector.items() <= pod_labels(w).items()]


def pod_labels(workload: Existing) -> Mapping[str, str]:
    """Labels of a workload's pods."""
    return _texts(part(workload.spec, "template", "metadata", "labels"))


def _texts(value: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(inner) for key, inner in value.items()}
