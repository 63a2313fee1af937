"""Splits: how the config spreads traffic, and what that means for the adapters on each pool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from inference_rollouts import naming, stages
from inference_rollouts.manifests.adapter_split import AdapterSplitArgs
from inference_rollouts.manifests.inference_pool import InferencePoolArgs
from inference_rollouts.manifests.model_server import AdapterArgs
from inference_rollouts.record import Override, Split
from inference_rollouts.settings import Adapter, AdapterRollout, Service, Version


def models_of(name: str, service: Service) -> tuple[str, ...]:
    """The model names that clients send."""
    return service.models or (name,)


def split_of(serving: str, rollout: AdapterRollout | None, *, decommission: bool) -> Split:
    """The split that the config asks for, for pools and for an adapter alike."""
    if rollout is None:
        return Split(serving=serving, weights={serving: 100}, decommission=decommission)
    override = rollout.override
    return Split(
        serving=serving,
        to=rollout.to,
        steps=rollout.steps,
        stage=rollout.stage,
        weights=stages.weights(rollout.stage, serving, rollout.to),
        override=Override(override.origin, override.to, override.reason, override.by) if override else None,
        decommission=decommission,
    )


def held_by_servers(adapter: Adapter) -> dict[str, bool]:
    """The adapter versions that the servers hold, and whether each is routed: has weight, or is what a rollback needs."""
    stage = adapter.rollout.stage if adapter.rollout else "baseline"
    held = {adapter.serving: stage != "retire"}
    if adapter.rollout and stages.builds_canary(stage):
        held[adapter.rollout.to] = stages.canary_weight(stage) > 0
    return held


def source_of(adapter: Adapter, key: str, version: Version) -> str:
    """Where an adapter version comes from, for one version's base model."""
    own = version.adapters.get(key)
    return own.source if own else adapter.versions[key].source


def held_adapters(service: Service, version: Version) -> Iterator[AdapterArgs]:
    """The adapter versions that a version's servers hold, with their sources for its base model."""
    for _, adapter in sorted(service.adapters.items()):
        for key, routed in held_by_servers(adapter).items():
            yield AdapterArgs(name=key, source=source_of(adapter, key, version), routed=routed)


def splits_on(
    name: str, service: Service, pool: InferencePoolArgs, labels: Mapping[str, str]
) -> Iterator[tuple[str, AdapterSplitArgs]]:
    """The splits of model names on one pool, by part of the logical name."""
    common = {"namespace": pool.namespace, "api": pool.api, "pool": pool.name, "labels": labels}
    if pool.api == "v1alpha2":
        # The legacy picker sheds, or refuses, a model name that no InferenceModel names.
        for model in models_of(name, service):
            part = naming.object_name(model)
            yield (
                f"model.{part}",
                AdapterSplitArgs(name=f"{pool.name}-{part}", model=model, weights={model: 100}, **common),
            )
    for key, adapter in sorted(service.adapters.items()):
        part = naming.object_name(key)
        split = split_of(adapter.serving, adapter.rollout, decommission=adapter.decommission)
        yield (
            f"adapter.{part}",
            AdapterSplitArgs(
                name=f"{pool.name}-{part}",
                model=key,
                weights=split.weights,
                criticality=adapter.criticality,
                annotations={naming.SPLIT_ANNOTATION: split.to_json()},
                **common,
            ),
        )
