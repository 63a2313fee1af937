"""The record of a service, from its settings and from what is rendered for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inference_rollouts.manifests import inference_pool, node_pool, server_pod
from inference_rollouts.plan.splits import held_by_servers, source_of, split_of
from inference_rollouts.plan.values import ServedVersionArgs
from inference_rollouts.record import Record
from inference_rollouts.settings import Service


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
    )


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
    }
