"""What is judged: registered resources, their backendRefs, and a whole registered state."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference_rollouts.manifests.endpoint_picker import MODEL_GROUP
from inference_rollouts.manifests.inference_pool import POOL_GROUP
from inference_rollouts.manifests.route import HTTP_ROUTE
from inference_rollouts.naming import SPLIT_ANNOTATION, VERSION_LABEL
from inference_rollouts.predicates.values import UNKNOWN, get, items, may_be
from inference_rollouts.record import Split

POOL_GROUPS = sorted(set(POOL_GROUP.values()))
GKE = "networking.gke.io"

ROUTE = {(HTTP_ROUTE.partition("/")[0], "HTTPRoute")}
POOL = {(group, "InferencePool") for group in POOL_GROUPS}
REWRITE = {(group, "InferenceModelRewrite") for group in MODEL_GROUP.values()}
MODEL = {(group, "InferenceModel") for group in MODEL_GROUP.values()}
WORKLOAD = {("apps", "Deployment"), ("apps", "StatefulSet")}
SERVICE = {("core", "Service")}
HEALTH_CHECK_POLICY = {(GKE, "HealthCheckPolicy")}
BACKEND_POLICY = {(GKE, "GCPBackendPolicy")}
NODE_POOL = {("gcp", "NodePool")}
VERSION = {("inference-rollouts", "ServedVersion")}


@dataclass(frozen=True)
class Resource:
    """One registered resource: its type token, its inputs, its URN, whether it is protected, and its parent's URN."""

    type: str
    inputs: Mapping[str, Any]
    urn: str = ""
    protect: bool = False
    parent: str = ""

    @functools.cached_property
    def sort(self) -> tuple[str, str]:
        """API group (`core` for v1) and kind of a Kubernetes object, else package and type.

        From the type token, which no preview leaves unknown. What patches an object counts as one.
        """
        package, _, rest = self.type.partition(":")
        group, _, kind = rest.rpartition(":")
        return (group.partition("/")[0] if package == "kubernetes" else package, kind.removesuffix("Patch"))

    @property
    def name(self) -> Any:
        """Name of a Kubernetes object."""
        return get(self.inputs, "metadata", "name")

    @property
    def namespace(self) -> Any:
        """Namespace of a Kubernetes object."""
        return get(self.inputs, "metadata", "namespace") or "default"

    @property
    def split(self) -> Split | None:
        """The split that one of our routes or splits carries as an annotation."""
        text = get(self.inputs, "metadata", "annotations", SPLIT_ANNOTATION)
        try:
            found = Split.from_json(text) if isinstance(text, str) else None
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        return found if found and isinstance(found.weights, Mapping) else None

    @property
    def leaves(self) -> bool:
        """Whether it says `decommission: true` itself, so that the next update may take it away."""
        return self.split is not None and self.split.decommission

    def __str__(self) -> str:
        named = isinstance(self.name, str)
        return f"{self.sort[1]} {f'{self.namespace}/{self.name}' if named else self.urn.rpartition('::')[2]}"


@dataclass(frozen=True)
class Ref:
    """One backendRef that is meant for an InferencePool: by kind or by group, since each is forgotten without the other."""

    route: Resource
    rule: Any
    at: str
    ref: Any

    def __str__(self) -> str:
        return f"{self.route}, {self.at}"

    @property
    def means_pool(self) -> bool:
        """Whether it is meant for an InferencePool, or may be."""
        return may_be(get(self.ref, "kind"), "InferencePool") or get(self.ref, "group") in (UNKNOWN, *POOL_GROUPS)

    @property
    def has_weight(self) -> bool:
        """Whether it gets traffic; one without a weight has 1."""
        return get(self.ref, "weight") != 0

    def may_name(self, pool: Resource) -> bool:
        """Whether the pool is the one, or may be. A group that is no pool's is another rule's business."""
        group = get(self.ref, "group")
        near = may_be(get(self.ref, "namespace") or self.route.namespace, pool.namespace)
        return near and may_be(get(self.ref, "name"), pool.name) and (group not in POOL_GROUPS or group == pool.sort[0])

    def carries(self, pool: Resource) -> bool:
        """Whether it brings the pool what clients send: not from a route that leaves, nor by our test header alone."""
        split = self.route.split
        version = get(pool.inputs, "metadata", "labels", VERSION_LABEL)
        by_header = all(get(match, "headers") for match in items(self.rule, "matches") or [None])
        test = split is not None and by_header and split.weights.get(version) == 0
        return self.has_weight and self.may_name(pool) and not test and not self.route.leaves


def rules_of(route: Resource) -> list[tuple[str, Any, list[Ref]]]:
    """Place, rule and backendRefs that are meant for pools, of each rule of an HTTPRoute that has such."""
    found = []
    for i, rule in enumerate(items(route.inputs, "spec", "rules") if route.sort in ROUTE else ()):
        refs = [Ref(route, rule, f"rules[{i}].backendRefs[{n}]", ref) for n, ref in enumerate(items(rule, "backendRefs"))]
        if meant := [ref for ref in refs if ref.means_pool]:
            found.append((f"{route}, rules[{i}]", rule, meant))
    return found


def refs_of(route: Resource) -> list[Ref]:
    """The backendRefs of an HTTPRoute that are meant for pools; none of any other resource."""
    return [ref for _, _, refs in rules_of(route) for ref in refs]


def pool_targets(policy: Resource) -> list[tuple[Any, Any, Any]]:
    """Group, namespace and name of the pools that a policy of GKE's is for, by `targetRef` or `targetRefs`."""
    one = get(policy.inputs, "spec", "targetRef")
    targets = items(policy.inputs, "spec", "targetRefs") if one is None else [one]
    meant = [target for target in targets if may_be(get(target, "kind"), "InferencePool")]
    return [(get(target, "group"), policy.namespace, get(target, "name")) for target in meant]


@dataclass(frozen=True)
class Stack:
    """All resources of a registered state, and the pools that others own (`namespace/name`)."""

    resources: Sequence[Resource]
    external_pools: Sequence[str] = ()

    @functools.cached_property
    def pools(self) -> list[Resource]:
        """Its InferencePools."""
        return [r for r in self.resources if r.sort in POOL]

    @functools.cached_property
    def refs(self) -> list[Ref]:
        """All backendRefs that are meant for pools."""
        return [ref for r in self.resources for ref in refs_of(r)]

    @functools.cached_property
    def gke_objects(self) -> list[Resource]:
        """Objects of GKE's own group, its policies among them."""
        return [r for r in self.resources if r.sort[0] == GKE]

    @functools.cached_property
    def services(self) -> list[Resource]:
        """Its Services."""
        return [r for r in self.resources if r.sort in SERVICE]

    @property
    def on_gke(self) -> bool:
        """Whether it shows that its cluster is GKE: elsewhere pools need no policies, and their CRDs are missing."""
        return bool(self.gke_objects) or any(r.sort in NODE_POOL for r in self.resources)

    @functools.cached_property
    def _by_urn(self) -> dict[str, Resource]:
        return {r.urn: r for r in self.resources}

    def version_of(self, resource: Resource) -> str | None:
        """URN of the ServedVersion that a resource is part of."""
        above = self._by_urn.get(resource.parent) if resource.parent else None
        return None if above is None else above.urn if above.sort in VERSION else self.version_of(above)

    def served_by(self, resource: Resource) -> list[Resource]:
        """The pools that miss something without a resource: themselves, their splits, the rest of their version."""
        if resource.sort in POOL:
            return [resource]
        if resource.sort in REWRITE | MODEL:
            ref = get(resource.inputs, "spec", "poolRef", "name")
            near = [pool for pool in self.pools if may_be(resource.namespace, pool.namespace)]
            return [pool for pool in near if may_be(ref, pool.name) and not resource.leaves]
        version = self.version_of(resource) if resource.sort in NODE_POOL | WORKLOAD | SERVICE else None
        return [pool for pool in self.pools if version and self.version_of(pool) == version]
