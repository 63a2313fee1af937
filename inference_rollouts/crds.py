"""Which CRDs a stack needs, who installs each, and what a cluster's list of CRDs lacks.

The package creates objects of these kinds and never the CRDs: GKE owns most of them, and a CRD outlives a stack.
Nothing here is read from a cluster: the caller hands in the documents that `kubectl get crds` printed.
Sources: the releases of kubernetes-sigs/gateway-api v1.5.1, kubernetes-sigs/gateway-api-inference-extension ("GIE")
v1.5.0 and v0.5.1, llm-d/llm-d-router v0.10.0; GKE's documentation for what GKE installs, and from which version on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from inference_rollouts.settings import Stack

Api = Literal["v1", "llm-d", "v1alpha2"]

GATEWAY_API = "gateway.networking.k8s.io"
POOL_V1 = "inference.networking.k8s.io"
POOL_ALPHA = "inference.networking.x-k8s.io"
LLM_D = "llm-d.ai"
GKE_POLICIES = "networking.gke.io"
GKE_METRICS = "monitoring.googleapis.com"

LISTS = ("List", "CustomResourceDefinitionList")
"""What `kubectl get crds -o json` and the API itself call a list of CRDs."""

_GKE_GATEWAY = "GKE, on a cluster with --gateway-api=standard"


@dataclass(frozen=True)
class Need:
    """One CRD that must be in the cluster before the stack is applied.

    Attributes:
        group: API group.
        version: the version the stack's objects are written in; the CRD must serve it.
        kind: kind of the objects.
        plural: the resource's plural name, the first part of the CRD's own name.
        scope: `Namespaced` or `Cluster`.
        because: what the stack makes of it.
        installed_by: who installs it, and from where.
    """

    group: str
    version: str
    kind: str
    plural: str
    scope: str
    because: str
    installed_by: str

    @property
    def name(self) -> str:
        """The CRD's own name, as `kubectl get crd` takes it."""
        return f"{self.plural}.{self.group}"

    def __str__(self) -> str:
        return f"{self.kind} ({self.group}/{self.version})"


def needs(api: Api, *, gke: bool, adapters: bool, criticality: bool, creates_gateway: bool) -> tuple[Need, ...]:
    """The CRDs of a stack, in the order in which its objects refer to each other.

    Args:
        api: the stack's `inferenceApi`.
        gke: the stack writes GKE's policies and PodMonitoring.
        adapters: a service has adapters, or another reason to rewrite model names.
        criticality: a model has a criticality other than the default.
        creates_gateway: the stack makes the Gateway itself, not only routes on a given one.
    """
    found = [*_gateway_api(gke, creates_gateway), _pool(api, gke), *_models(api, adapters, criticality)]
    if gke:
        found += _gke()
    return tuple(found)


def _namespaced(api_version: str, kind: str, plural: str, because: str, installed_by: str) -> Need:
    group, version = api_version.split("/")
    return Need(group, version, kind, plural, "Namespaced", because, installed_by)


def _gateway_api(gke: bool, creates_gateway: bool) -> Iterator[Need]:
    by = _GKE_GATEWAY if gke else "you, or your gateway: standard channel of Gateway API v1.5.1"
    version = f"{GATEWAY_API}/v1"
    if creates_gateway:
        yield _namespaced(version, "Gateway", "gateways", "the stack creates its Gateway", by)
    yield _namespaced(version, "HTTPRoute", "httproutes", "the weights of the pools stand in the route", by)


def _pool(api: Api, gke: bool) -> Need:
    because = "each version of a service is one pool of model servers"
    if api == "v1alpha2":
        by = "you: config/crd of GIE v0.5.1"
        return _namespaced(f"{POOL_ALPHA}/v1alpha2", "InferencePool", "inferencepools", because, by)
    by = "you: config/crd of GIE v1.5.0"
    if gke:
        by = f"GKE itself from 1.34.0-gke.1626000 on (leave its CRD alone); on older clusters {by}"
    return _namespaced(f"{POOL_V1}/v1", "InferencePool", "inferencepools", because, by)


def _models(api: Api, adapters: bool, criticality: bool) -> Iterator[Need]:
    if api == "v1alpha2":
        because = "each model name of a pool is one object, with the weights of its adapters"
        by = "you: config/crd of GIE v0.5.1"
        yield _namespaced(f"{POOL_ALPHA}/v1alpha2", "InferenceModel", "inferencemodels", because, by)
        return
    version = f"{LLM_D if api == 'llm-d' else POOL_ALPHA}/v1alpha2"
    # GIE's whole bundle would also replace an InferencePool CRD that GKE owns.
    by = "you: config/crd of llm-d-router v0.10.0" if api == "llm-d" else "you: its file alone out of config/crd of GIE v1.5.0"
    if adapters:
        because = "the weights of the adapters stand in rewrites of the model name"
        yield _namespaced(version, "InferenceModelRewrite", "inferencemodelrewrites", because, by)
    if criticality:
        because = "a model's criticality is the priority of an objective"
        yield _namespaced(version, "InferenceObjective", "inferenceobjectives", because, by)


def _gke() -> Iterator[Need]:
    policies = f"{GKE_POLICIES}/v1"
    because = "without it the load balancer probes `/`, which model servers answer with 404"
    yield _namespaced(policies, "HealthCheckPolicy", "healthcheckpolicies", because, _GKE_GATEWAY)
    because = "the load balancer's default of 30 s cuts long answers off"
    yield _namespaced(policies, "GCPBackendPolicy", "gcpbackendpolicies", because, _GKE_GATEWAY)
    because = "the gates read the metrics of pickers and model servers"
    by = "GKE, with managed collection of Managed Service for Prometheus"
    yield _namespaced(f"{GKE_METRICS}/v1", "PodMonitoring", "podmonitorings", because, by)


def missing(needed: Iterable[Need], documents: Iterable[Mapping[str, Any]]) -> list[str]:
    """What stands between these CRDs and the stack, one sentence per CRD; empty when all fits.

    Args:
        needed: from `needs`.
        documents: CRDs, or the `List` that `kubectl get crds -o json` prints; other kinds are ignored.
    """
    installed = _by_name(documents)
    answers = (_lack(need, installed.get(need.name)) for need in needed)
    return [sentence for sentence in answers if sentence]


def notes(needed: Iterable[Need], documents: Iterable[Mapping[str, Any]]) -> list[str]:
    """What fits the stack and may still surprise: the CRDs alone cannot tell whether it is wrong."""
    installed = _by_name(documents)
    return [
        f"{need.kind} is installed in the groups {POOL_ALPHA} and {LLM_D}. An endpoint picker of llm-d-router then "
        f"ignores the objects of {POOL_ALPHA}, which this stack writes: use a picker of GIE (v1.5.0 is the last), "
        "or `inferenceApi: llm-d`."
        for need in needed
        if need.group == POOL_ALPHA and need.name in installed and f"{need.plural}.{LLM_D}" in installed
    ]


def _lack(need: Need, crd: Mapping[str, Any] | None) -> str | None:
    who = f"Needed because {need.because}; installed by {need.installed_by}."
    if crd is None:
        return f"{need.name} is not installed. {who}"
    served = [version for version in _versions(crd) if version.get("served") is True]
    schema = next((version for version in served if version.get("name") == need.version), None)
    if schema is None:
        names = ", ".join(str(version.get("name")) for version in served) or "no version"
        return f"{need.name} is installed but serves {names}, not {need.version}. {who}"
    if need.kind == "InferenceModelRewrite" and _has_split(schema):
        return (
            f"{need.name} is the one of GIE v1.2: its rules have `split`, not `targets`, so it rejects every rewrite "
            f"of this stack. {who}"
        )
    return None


def _has_split(version: Mapping[str, Any]) -> bool:
    """Whether this is GIE v1.2's InferenceModelRewrite; v1.3 renamed `split` to `targets`."""
    rule = _at(version, "schema", "openAPIV3Schema", "properties", "spec", "properties", "rules", "items", "properties")
    return bool(rule) and "targets" not in rule


def _by_name(documents: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    crds: dict[str, Mapping[str, Any]] = {}
    for crd in _flat(documents):
        spec = _at(crd, "spec")
        crds[f"{_at(spec, 'names').get('plural')}.{spec.get('group')}"] = crd
    return crds


def _flat(documents: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for document in documents:
        items = document.get("items") if document.get("kind") in LISTS else [document]
        for item in items if isinstance(items, list) else ():
            if isinstance(item, Mapping) and item.get("kind") == "CustomResourceDefinition":
                yield item


def _versions(crd: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    versions = _at(crd, "spec").get("versions")
    return [version for version in versions if isinstance(version, Mapping)] if isinstance(versions, list) else []


def _at(value: Any, *keys: str) -> Mapping[str, Any]:
    """The mapping under these keys; empty when something on the way is absent or of another shape."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def of_stacks(stacks: Iterable[Stack]) -> tuple[Need, ...]:
    """What several stacks need together, each once."""
    found: dict[str, Need] = {}
    for stack in stacks:
        for service in stack.services.values():
            for need in needs(
                service.inference_api,
                gke=stack.cluster.gke,
                adapters=bool(service.adapters),
                criticality=any(adapter.criticality for adapter in service.adapters.values()),
                creates_gateway=stack.gateway.create is not None,
            ):
                found.setdefault(f"{need.name}/{need.version}", need)
    return tuple(found.values())
