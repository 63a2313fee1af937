"""What to look at before a raise: names and expectations, as values. Whoever asks builds them from the deployed record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inference_rollouts.manifests.endpoint_picker import MODEL_GROUP
from inference_rollouts.manifests.inference_pool import POOL_GROUP, InferenceApi
from inference_rollouts.manifests.route import HTTP_ROUTE
from inference_rollouts.record import Split


@dataclass(frozen=True, kw_only=True)
class VersionTarget:
    """A version that has to be ready: the canary of a pool rollout; every version that stands, where an adapter rolls.

    Attributes:
        role: what findings call it: canary, stable or its name.
        pool: its InferencePool.
        server: Deployment of its servers; None for a pool that somebody else owns.
        picker: Deployment of its endpoint picker; None likewise.
        replicas: pods that it needs; None for as many as its Deployment asks for. An autoscaler's minimum belongs here:
            more that are on their way hold nothing up.
        selector: labels of its pods.
        adapters: adapter versions that every Ready pod must hold: all that have weight after the move.
    """

    role: str = "canary"
    pool: str
    server: str | None = None
    picker: str | None = None
    replicas: int | None = None
    selector: Mapping[str, str] = field(default_factory=dict)
    adapters: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SplitTarget:
    """An object that carries weights, and the deployed split that it should carry.

    Attributes:
        api_version, kind, name: the object.
        split: as it is recorded.
        backends: what the object calls each version of the split; itself where nothing is said.
    """

    api_version: str
    kind: str
    name: str
    split: Split
    backends: Mapping[str, str] = field(default_factory=dict)

    def weights(self, split: Split) -> dict[str, int]:
        """The weights of a split as this object shows them: with the zeros on a route, without them elsewhere."""
        shown = {self.backends.get(name, name): weight for name, weight in split.weights.items()}
        return shown if self.kind == "HTTPRoute" else {name: weight for name, weight in shown.items() if weight}


def route_target(name: str, split: Split, pools: Mapping[str, str]) -> SplitTarget:
    """The HTTPRoute of a service.

    Args:
        pools: InferencePool by version, where it has another name.
    """
    return SplitTarget(api_version=HTTP_ROUTE, kind="HTTPRoute", name=name, split=split, backends=pools)


def adapter_target(api: InferenceApi, name: str, split: Split) -> SplitTarget:
    """The split of one adapter on one pool."""
    kind = "InferenceModel" if api == "v1alpha2" else "InferenceModelRewrite"
    return SplitTarget(api_version=f"{MODEL_GROUP[api]}/v1alpha2", kind=kind, name=name, split=split)


@dataclass(frozen=True, kw_only=True)
class ReadyTarget:
    """Everything that has to be ready before a weight rises.

    Attributes:
        namespace: of everything.
        gke: whether the route needs GKE's Reconciled condition.
        api: API generation.
        route: the HTTPRoute and its deployed split.
        parent_refs: its parents, as in the Gateway API.
        versions: what has to be ready.
        splits: the splits of adapters, one for each adapter and pool.
    """

    namespace: str
    gke: bool
    api: InferenceApi
    route: SplitTarget
    parent_refs: tuple[Mapping[str, Any], ...]
    versions: tuple[VersionTarget, ...]
    splits: tuple[SplitTarget, ...] = ()

    @property
    def pool_api(self) -> str:
        """apiVersion of InferencePool."""
        return f"{POOL_GROUP[self.api]}/{'v1alpha2' if self.api == 'v1alpha2' else 'v1'}"

    def at(self, kind: str, name: str) -> str:
        """An object's place, as findings write it."""
        return f"{kind} {self.namespace}/{name}"
