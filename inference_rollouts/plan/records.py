"""The record of a service, from its settings and from what is rendered for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inference_rollouts.capacity import Capacity
from inference_rollouts.limits import Limits
from inference_rollouts.manifests import endpoint_picker, inference_pool, node_pool, server_pod
from inference_rollouts.manifests.endpoint_picker import EndpointPickerArgs
from inference_rollouts.plan.splits import held_by_servers, source_of, split_of
from inference_rollouts.plan.values import ServedVersionArgs
from inference_rollouts.record import BACKEND, FAILURE_MODE, PICKER, REPLICAS, Record
from inference_rollouts.settings import Service, Version
from inference_rollouts.settings.checks import pods_at_most
from inference_rollouts.windows import Freeze


def record_of(service: Service, versions: tuple[ServedVersionArgs, ...], door: Mapping[str, Any]) -> Record:
    """The record of what should stand: the splits, the frozen fields, the adapters' sources, the door."""
    standing = {v.name: service.versions[v.name] for v in versions}
    return Record(
        pools=split_of(service.serving, service.rollout, decommission=service.decommission),
        adapters={
            key: split_of(adapter.serving, adapter.rollout, decommission=adapter.decommission)
            for key, adapter in service.adapters.items()
        },
        sources={
            f"{version}/{key}": source_of(adapter, key, settings)
            for version, settings in standing.items()
            for adapter in service.adapters.values()
            for key in held_by_servers(adapter)
        },
        versions={v.name: frozen(v) for v in versions},
        in_place=tuple(name for name, settings in standing.items() if settings.allow_in_place_updates),
        door=door,
        limits=_limits(service, standing),
    )


def _limits(service: Service, standing: Mapping[str, Version]) -> Limits:
    return Limits(
        peak=service.peak.value if service.peak else None,
        capacity={name: found for name, version in standing.items() if (found := capacity_of(version))},
        freeze=tuple(Freeze(f.origin, f.to, f.timezone, f.reason) for f in service.freeze),
    )


def capacity_of(version: Version) -> Capacity | None:
    """What a version's pods carry at most; None where it is not given."""
    if version.server is None or version.server.capacity is None:
        return None
    return Capacity(pods_at_most(version.server), version.server.capacity.value, version.server.capacity.unit)


def frozen(version: ServedVersionArgs) -> dict[str, Any]:
    """What may not change on a version that carries traffic, as it is rendered: so also what follows from service keys."""
    if version.external_pool is not None:
        return {"external": version.external_pool}
    assert version.server is not None, "a version is external or has its parts"
    assert version.pool is not None, "a version is external or has its parts"
    return {
        "nodePool": node_pool.frozen_node_pool(version.nodes) if version.nodes else None,
        "podTemplate": server_pod.pod_template(version.server),
        "pool": inference_pool.frozen_pool(version.pool),
        PICKER: _picker(version.picker) if version.picker else None,
        BACKEND: inference_pool.backend_policy(version.pool)["spec"]["default"] if version.pool.gke else None,
        FAILURE_MODE: version.pool.failure_mode,
        REPLICAS: None if version.server.autoscaling else version.server.replicas,
    }


def _picker(args: EndpointPickerArgs) -> dict[str, Any]:
    config = endpoint_picker.config_map(args)["data"]
    return {"pod": endpoint_picker.deployment(args)["spec"]["template"], "config": config}
