"""What to look at before a raise, from the plan of a service and from the record of what is deployed. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from inference_rollouts import naming
from inference_rollouts.observe.targets import ReadyTarget, SplitTarget, VersionTarget, adapter_target, route_target
from inference_rollouts.plan.values import ModelServiceArgs, ServedVersionArgs
from inference_rollouts.record import Record


def ready_target(service: ModelServiceArgs, deployed: Record, raised: tuple[str, ...]) -> ReadyTarget:
    """Everything that has to be ready before a weight of this service rises.

    Args:
        service: what is wanted.
        deployed: the record in state.
        raised: adapters whose canary gets more weight; empty where the pools' canary does.
    """
    pools = {version.name: version.pool_name for version in service.versions}
    splits = tuple(split for version in service.versions for split in _splits(version, deployed))
    chosen = service.versions if raised else [v for v in service.versions if v.name == service.record.pools.to]
    return ReadyTarget(
        namespace=service.route.namespace,
        gke=service.route.gke,
        api=service.record.door["inferenceApi"],
        route=route_target(service.route.name, deployed.pools, pools),
        parent_refs=service.route.parent_refs,
        versions=tuple(_version(version, service) for version in chosen),
        splits=splits,
    )


def _version(version: ServedVersionArgs, service: ModelServiceArgs) -> VersionTarget:
    server = version.server
    canary = version.name == service.record.pools.to
    return VersionTarget(
        role="canary" if canary else version.name,
        pool=version.pool_name,
        server=server.name if server else None,
        picker=version.picker.name if version.picker else None,
        replicas=(server.autoscaling.min if server.autoscaling else server.replicas) if server else None,
        selector=server.selector if server else {},
        adapters=tuple(adapter.name for adapter in server.adapters if adapter.routed) if server else (),
    )


def _splits(version: ServedVersionArgs, deployed: Record) -> Iterator[SplitTarget]:
    """The adapter splits that are deployed on a version's pool; one that this update creates is not there yet."""
    if version.name not in deployed.versions:
        return
    for name, split in deployed.adapters.items():
        args = version.splits.get(f"adapter.{naming.object_name(name)}")
        if args:
            yield adapter_target(args.api, args.name, split)
