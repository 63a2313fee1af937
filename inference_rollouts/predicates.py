"""What one registered state can show of what would hurt: rules on plain dicts, for any stack, ours or not.

The policy pack (`policies/`) enforces them. They see neither the old state nor deletions nor a cluster: moves are the
guard's. A value that a preview does not know yet (`UNKNOWN`) counts against the state: it may carry weight, may name any
pool, and is no policy of a pool; a rule that has to read it says so instead. Every rule yields sentences: what, why, what to do.

Only the standard library, and plain modules that need no more: the pack's environment has no pydantic.
Sources, where no other is named: Gateway API v1.5.1, Gateway API inference extension ("GIE") v1.5.0 and v0.5.1.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference_rollouts.accelerators import N1, machine_types
from inference_rollouts.errors import nearest, path_of
from inference_rollouts.manifests.endpoint_picker import MODEL_GROUP
from inference_rollouts.manifests.inference_pool import POOL_GROUP
from inference_rollouts.manifests.route import HTTP_ROUTE
from inference_rollouts.naming import SPLIT_ANNOTATION, VERSION_LABEL
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

MAX_BACKEND_WEIGHT = 1000
"""weightedBackendServices[].weight of a GCP URL map; the Gateway API alone would take 1,000,000."""
MAX_TARGET_WEIGHT = 1_000_000

# --- plain values, some of them unknown -------------------------------------------------------------------------------


class Unknown:
    """A value that a preview does not know yet. There is one: `UNKNOWN`."""

    def __str__(self) -> str:
        return "(not known yet)"


UNKNOWN = Unknown()


class NotKnownYetError(Exception):
    """A rule has to read what is not known yet; the text is its path."""


def get(part: Any, *path: str | int) -> Any:
    """The value at a path; None where there is none, UNKNOWN where it, or what is around it, is unknown.

    An index must be one that its list has.
    """
    for key in path:
        if part is UNKNOWN:
            return UNKNOWN
        part = part[key] if isinstance(key, int) else part.get(key) if isinstance(part, Mapping) else None
    return part


def read(part: Any, *path: str | int) -> Any:
    """As `get`, but raises NotKnownYetError instead of returning UNKNOWN."""
    found = get(part, *path)
    if found is UNKNOWN:
        raise NotKnownYetError(path_of(*path))
    return found


def items(part: Any, *path: str | int) -> list[Any]:
    """The list at a path; an unknown list is a list with one unknown item."""
    found = get(part, *path)
    return [UNKNOWN] if found is UNKNOWN else list(found) if isinstance(found, list | tuple) else []


def may_be(value: Any, wanted: Any) -> bool:
    """Whether two values are equal, or may turn out to be."""
    return value is UNKNOWN or wanted is UNKNOWN or value == wanted


def judged(judge: Callable[..., Iterator[str]]) -> Callable[..., Iterator[str]]:
    """`judge`, whose first argument is what it judges, saying what it could not read instead of raising."""

    @functools.wraps(judge)
    def whole(subject: Any, *args: Any) -> Iterator[str]:
        try:
            yield from judge(subject, *args)
        except NotKnownYetError as e:
            yield f"{subject}: {e} is known only after the update, so it cannot be judged now; write it as a plain value"

    return whole


# --- what is judged ---------------------------------------------------------------------------------------------------


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


# --- rules on one resource --------------------------------------------------------------------------------------------


def route_weights(route: Resource) -> Iterator[str]:
    """Weights of a rule that splits between InferencePools are percentages; none is out of range, and not all are 0."""
    for where, rule, _ in rules_of(route):
        yield from _rule_weights(where, rule)


@judged
def _rule_weights(where: str, rule: Any) -> Iterator[str]:
    given = [read(rule, "backendRefs", i, "weight") for i in range(len(items(rule, "backendRefs")))]
    weights = [1 if weight is None else weight for weight in given]
    if wrong := [weight for weight in weights if not _whole(weight, 0, MAX_BACKEND_WEIGHT)]:
        limit = f"a GCP URL map takes whole numbers from 0 to {MAX_BACKEND_WEIGHT}"
        yield f"{where}: {_list(wrong)} is no weight: {limit}; write percentages that add up to 100"
    elif not any(weights):
        yield f"{where}: all weights are 0, so every request is answered with 500; give a backend weight, or take the rule out"
    elif len(weights) > 1 and sum(weights) != 100:
        total = f"{_list(weights, ' + ')} = {sum(weights):g}, not 100, so they are not the percentages they look like"
        yield f"{where}: the weights are {total}; write every weight (one that is not written counts as 1) as its percentage"


def model_targets(split: Resource) -> Iterator[str]:
    """Targets of an InferenceModelRewrite or InferenceModel: there are some, all or none have weights, none has 0."""
    spec = get(split.inputs, "spec")
    if split.sort in REWRITE:
        for i, rule in enumerate(items(spec, "rules")):
            yield from _targets(f"{split}, rules[{i}]", rule, "targets")
    # An InferenceModel without targetModels serves its modelName itself.
    elif split.sort in MODEL and get(spec, "targetModels") is not None:
        yield from _targets(str(split), spec, "targetModels")


@judged
def _targets(where: str, rule: Any, key: str) -> Iterator[str]:
    weights = [read(rule, key, i, "weight") for i in range(len(items(rule, key)))]
    given = [weight for weight in weights if weight is not None]
    if not weights:
        yield f"{where}: has no {key}, which the schema lets pass, so its requests go nowhere; name one, or take it out"
    if wrong := [weight for weight in given if not _whole(weight, 1, MAX_TARGET_WEIGHT)]:
        yield f"{where}: {_list(wrong)} is no weight of a target, which starts at 1; leave a target out that shall get nothing"
    if given and len(given) < len(weights):
        # GIE v1.5.0 pkg/epp/requestcontrol/director.go selectWeightedModel
        missing = f"{len(weights) - len(given)} of {len(weights)} {key} have no weight"
        yield f"{where}: {missing} and so are never chosen beside those that have; give all of them a weight, or none"


def backend_group(route: Resource) -> Iterator[str]:
    """A backendRef to an InferencePool carries group and kind: without, they mean a core Service, and its share gets 500."""
    for ref in refs_of(route):
        yield from _backend_group(ref)


@judged
def _backend_group(ref: Ref) -> Iterator[str]:
    group, kind, name = read(ref.ref, "group"), read(ref.ref, "kind"), get(ref.ref, "name")
    if group not in POOL_GROUPS:
        wrong = f"has group {group}" if group else "carries no group, which means a core kind"
        yield f"{ref}: InferencePool {name} {wrong}, and its share gets 500; write group: {' or '.join(POOL_GROUPS)}"
    if kind != "InferencePool":
        wrong = f"has kind {kind}" if kind else "carries no kind, which means Service"
        yield f"{ref}: {name} of group {group} {wrong}, and its share gets 500; write kind: InferencePool"


@judged
def health_check_port(policy: Resource) -> Iterator[str]:
    """A pool's HealthCheckPolicy says USE_FIXED_PORT and the port: one generation of the CRD refuses a port without it."""
    if policy.sort not in HEALTH_CHECK_POLICY or not _pool_targets(policy):
        return
    config = read(policy.inputs, "spec", "default", "config")
    checks = [key for key in config if key.endswith("HealthCheck")] if isinstance(config, Mapping) else []
    loose = [k for k in checks if read(config, k, "portSpecification") != "USE_FIXED_PORT" or get(config, k, "port") is None]
    if loose or not checks:
        why = "so it may be refused, or probe another port than that of the servers"
        where = " and ".join(loose) or "config"
        yield f"{policy} has no fixed port in its {where}, {why}; write portSpecification: USE_FIXED_PORT and the port there"


def session_affinity(policy: Resource) -> Iterator[str]:
    """No sessionAffinity in a pool's GCPBackendPolicy: clusters refuse it, the published CRD does not."""
    affinity = get(policy.inputs, "spec", "default", "sessionAffinity")
    if affinity is not None and policy.sort in BACKEND_POLICY and _pool_targets(policy):
        why = "which GKE refuses on an InferencePool, where the endpoint picker chooses the server"
        yield f"{policy} sets sessionAffinity, {why}; take it out"


@judged
def initial_node_count(pool: Resource) -> Iterator[str]:
    """Node pools with accelerators set no initialNodeCount: a change of it replaces the pool (pulumi-gcp#412)."""
    if pool.sort not in NODE_POOL or get(pool.inputs, "initialNodeCount") is None:
        return
    attached = any(get(one, "count") != 0 for one in items(pool.inputs, "nodeConfig", "guestAccelerators"))
    if attached or _has_accelerators(read(pool.inputs, "nodeConfig", "machineType")):
        why = "which drifts with every resize, and whose change deletes the nodes and makes new ones"
        yield f"{pool} has accelerators and sets initialNodeCount, {why}; take it out and let autoscaling say the size"


@functools.cache
def _families() -> frozenset[str]:
    return frozenset(machine.name.partition("-")[0] for machine in machine_types() if machine.name != N1)


def _has_accelerators(machine_type: Any) -> bool:
    return isinstance(machine_type, str) and machine_type.partition("-")[0] in _families()


def _pool_targets(policy: Resource) -> list[tuple[Any, Any, Any]]:
    """Group, namespace and name of the pools that a policy of GKE's is for, by `targetRef` or `targetRefs`."""
    one = get(policy.inputs, "spec", "targetRef")
    targets = items(policy.inputs, "spec", "targetRefs") if one is None else [one]
    meant = [target for target in targets if may_be(get(target, "kind"), "InferencePool")]
    return [(get(target, "group"), policy.namespace, get(target, "name")) for target in meant]


def _whole(number: Any, low: int, high: int) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and number % 1 == 0 and low <= number <= high


def _list(values: Sequence[Any], glue: str = ", ") -> str:
    return glue.join(f"{value:g}" if isinstance(value, int | float) else str(value) for value in values)


# --- rules on one resource among all ----------------------------------------------------------------------------------


def traffic_protected(resource: Resource, stack: Stack) -> Iterator[str]:
    """What carries weight is protected: pools, their routes and splits; of our versions also nodes, server and picker."""
    if resource.protect:
        return
    way = "a line taken out of the program deletes it under traffic; set protect=True, and lift it one update before it goes"
    if carrying := [ref for ref in refs_of(resource) if ref.has_weight and not resource.leaves]:
        yield f"{resource} is not protected, but gives weight to InferencePool {get(carrying[0].ref, 'name')}: {way}"
    for pool in stack.served_by(resource):
        for ref in [ref for ref in stack.refs if ref.carries(pool)][:1]:
            belongs = "it" if pool is resource else f"it belongs to {pool}, which"
            yield f"{resource} is not protected, but {belongs} has weight in {ref}: {way}"


def backend_pool(route: Resource, stack: Stack) -> Iterator[str]:
    """A backendRef names an InferencePool of the stack, or one that is declared as somebody else's."""
    for ref in refs_of(route):
        yield from _backend_pool(ref, stack)


@judged
def _backend_pool(ref: Ref, stack: Stack) -> Iterator[str]:
    name, namespace = read(ref.ref, "name"), get(ref.ref, "namespace") or ref.route.namespace
    external = [pool.partition("/") for pool in stack.external_pools]
    if any(ref.may_name(pool) for pool in stack.pools) or any(may_be(namespace, p[0]) and name == p[2] for p in external):
        return
    full = f"{namespace}/{name}"
    known = {f"{pool.namespace}/{pool.name}": pool.sort[0] for pool in stack.pools}
    if full in known:
        why = "and the share of a pool that is nowhere gets 500"
        yield f"{ref}: {full} has group {known[full]}, not {get(ref.ref, 'group')}, {why}; write the pool's own group"
        return
    why = "which is no pool of this stack, and the share of a pool that is nowhere gets 500"
    hint = nearest(full, [*known, *stack.external_pools])
    yield f"{ref}: names {full}, {why}; correct the name, or declare the pool in externalPools if others own it{hint}"


def health_check_policy(pool: Resource, stack: Stack) -> Iterator[str]:
    """On GKE, every InferencePool that a route names has a HealthCheckPolicy."""
    if pool.sort not in POOL or not stack.on_gke or not any(ref.may_name(pool) for ref in stack.refs):
        return
    key = (pool.sort[0], pool.namespace, pool.name)
    if not any(key in _pool_targets(policy) for policy in stack.gke_objects if policy.sort in HEALTH_CHECK_POLICY):
        why = "so GKE probes GET /, which model servers answer with 404, and takes all of its pods for unhealthy"
        way = f"add one whose targetRef is group {key[0]}, kind InferencePool, name {key[2]}"
        yield f"{pool} has no HealthCheckPolicy, {why}; {way}"


def one_policy_per_pool(policy: Resource, stack: Stack) -> Iterator[str]:
    """No two policies of a kind on one pool: GKE obeys the oldest and marks the others Conflicted."""
    for key in _pool_targets(policy) if policy.sort[0] == GKE else ():
        alike = [other for other in stack.gke_objects if other.sort == policy.sort]
        rivals = [other for other in alike if any(all(map(may_be, key, target)) for target in _pool_targets(other))]
        first = min(rivals, key=lambda rival: (str(rival), rival.urn))
        if first is not policy:
            why = "GKE obeys the older one and marks the other Conflicted"
            yield f"{policy} is for InferencePool {key[1]}/{key[2]}, and so is {first}: {why}; merge them into one"


def pinned_images(workload: Resource, stack: Stack) -> Iterator[str]:
    """Images of model servers and endpoint pickers have a digest, or a tag that is not `latest`."""
    role = _role(workload, stack) if workload.sort in WORKLOAD else None
    pod = get(workload.inputs, "spec", "template", "spec")
    for container in [*items(pod, "initContainers"), *items(pod, "containers")] if role else ():
        yield from _pinned(f"{workload}, container {get(container, 'name')}", container, role)


@judged
def _pinned(where: str, container: Any, role: str) -> Iterator[str]:
    image = str(read(container, "image") or "no image")
    # A digest follows a colon as well, and never reads as latest.
    if image.rpartition("/")[2].partition(":")[2] in ("", "latest"):
        why = f"and its pod {role}: one that restarts may run other software than the one beside it"
        yield f"{where}: {image} is not pinned, {why}; give it a tag that is not latest, or a digest"


def _role(workload: Resource, stack: Stack) -> str | None:
    """What a workload does for an InferencePool of the stack."""
    labels = get(workload.inputs, "spec", "template", "metadata", "labels")
    for pool in [pool for pool in stack.pools if may_be(pool.namespace, workload.namespace)]:
        spec = get(pool.inputs, "spec")
        legacy = pool.sort[0] == POOL_GROUP["v1alpha2"]
        if _selects(get(spec, "selector") if legacy else get(spec, "selector", "matchLabels"), labels):
            return f"serves {pool}"
        picker = get(spec, "extensionRef" if legacy else "endpointPickerRef", "name")
        near = [s for s in stack.services if may_be(s.namespace, pool.namespace) and picker and may_be(s.name, picker)]
        if any(_selects(get(service.inputs, "spec", "selector"), labels) for service in near):
            return f"is the endpoint picker of {pool}"
    return None


def _selects(selector: Any, labels: Any) -> bool:
    if selector is UNKNOWN:
        return True
    return isinstance(selector, Mapping) and bool(selector) and all(may_be(get(labels, k), v) for k, v in selector.items())
