"""The plan as values: the arguments of every component, and the record that the guard compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inference_rollouts.checks import LeastTime, MetricCheck
from inference_rollouts.manifests.adapter_split import AdapterSplitArgs
from inference_rollouts.manifests.endpoint_picker import EndpointPickerArgs
from inference_rollouts.manifests.inference_pool import InferencePoolArgs
from inference_rollouts.manifests.model_server import ModelServerArgs
from inference_rollouts.manifests.node_pool import AcceleratorNodePoolArgs
from inference_rollouts.manifests.route import GatewayArgs, WeightedRouteArgs
from inference_rollouts.record import Record
from inference_rollouts.settings import Cluster


@dataclass(frozen=True, kw_only=True)
class ServedVersionArgs:
    """One version that stands: its four parts, or a pool that somebody else owns.

    Attributes:
        name: the version's name.
        nodes: None where nodes exist already.
        server, pool, picker: None for an external version.
        external_pool: name of a pool that somebody else owns.
        protect: whether the version may not be deleted.
        splits: splits of model names on this version's pool, by logical part name.
    """

    name: str
    nodes: AcceleratorNodePoolArgs | None = None
    server: ModelServerArgs | None = None
    pool: InferencePoolArgs | None = None
    picker: EndpointPickerArgs | None = None
    external_pool: str | None = None
    protect: bool
    splits: Mapping[str, AdapterSplitArgs] = field(default_factory=dict)
    protect_splits: Mapping[str, bool] = field(default_factory=dict)

    @property
    def pool_name(self) -> str:
        """Name of the InferencePool."""
        return self.pool.name if self.pool else str(self.external_pool)


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What is asked live before a raise, or before `retire`, beside readiness.

    Attributes:
        settle: least seconds for a weight to act everywhere, before either.
        bake: least seconds at the present rung, before a raise.
        keep: least seconds at 100, before `retire`.
        checks: metrics that the canary must keep, before a raise.
        probe: whether `rollout probe` must have passed, before the first raise.
    """

    settle: int = 0
    bake: int = 0
    keep: int = 0
    checks: tuple[MetricCheck, ...] = ()
    probe: bool = False

    def least(self, *, retires: bool) -> tuple[LeastTime, int]:
        """The time that the weights must have stood: what the config calls it, and its seconds; 0 where there is none."""
        name, own = ("keep", self.keep) if retires else ("bake", self.bake)
        return ("settle", self.settle) if self.settle > own else (name, own)


@dataclass(frozen=True, kw_only=True)
class ModelServiceArgs:
    """One service: the versions that stand, the route between them, and the record of it all.

    Attributes:
        name: the service's name.
        versions: those that stand, stable first.
        route: the weighted route.
        protect: whether the route and the record may not be deleted.
        record: what the guard compares with what is deployed.
        notes: what a preview should say besides operations, one sentence each.
        conditions: of the pools' rollout (under the empty name) and of each adapter's.
        metrics_url: base URL of the Prometheus API; None takes the project's Managed Prometheus.
        metrics_labels: further labels of every series, where one Prometheus sees several clusters.
    """

    name: str
    versions: tuple[ServedVersionArgs, ...]
    route: WeightedRouteArgs
    protect: bool
    record: Record
    notes: tuple[str, ...] = ()
    conditions: Mapping[str, Conditions] = field(default_factory=dict)
    metrics_url: str | None = None
    metrics_labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def outputs(self) -> dict[str, Any]:
        """What the stack exports of the service: where each rollout stands, and what a preview notes beside it."""
        adapters = {name: split.to_wire() for name, split in self.record.adapters.items()}
        return {"pools": self.record.pools.to_wire(), "adapters": adapters, "notes": list(self.notes)}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that should stand in a stack."""

    cluster: Cluster
    gateway: GatewayArgs | None
    services: tuple[ModelServiceArgs, ...]
