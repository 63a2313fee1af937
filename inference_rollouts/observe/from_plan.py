"""What to look at before a raise, or `retire`, from the plan of a service and from the record of what is deployed. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from inference_rollouts import naming, probed
from inference_rollouts.manifests.model_server import ModelServerArgs
from inference_rollouts.observe.ask import BakeTarget, MetricTarget, ProbeTarget
from inference_rollouts.observe.prometheus import Prometheus, default_url
from inference_rollouts.observe.queries import Series
from inference_rollouts.observe.targets import ReadyTarget, SplitTarget, VersionTarget, adapter_target, route_target
from inference_rollouts.plan.values import Conditions, ModelServiceArgs, ServedVersionArgs
from inference_rollouts.record import Record


def ready_target(service: ModelServiceArgs, deployed: Record, raised: tuple[str, ...]) -> ReadyTarget:
    """Everything that has to be ready before a weight of this service rises.

    Args:
        service: what is wanted.
        deployed: the record in state.
        raised: adapters in question, which rise or retire; empty where the pools do.
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
        replicas=_pods(server) if server else None,
        selector=server.selector if server else {},
        adapters=tuple(adapter.name for adapter in server.adapters if adapter.routed) if server else (),
    )


def _pods(server: ModelServerArgs) -> int:
    """Pods that a server needs for its weight as it is to be."""
    scale = server.autoscaling
    return server.replicas if scale is None else scale.min if scale.needed is None else scale.needed


def _splits(version: ServedVersionArgs, deployed: Record) -> Iterator[SplitTarget]:
    """The adapter splits that are deployed on a version's pool; one that this update creates is not there yet."""
    if version.name not in deployed.versions:
        return
    for name, split in deployed.adapters.items():
        args = version.splits.get(f"adapter.{naming.object_name(name)}")
        if args:
            yield adapter_target(args.api, args.name, split)


def bake_target(service: ModelServiceArgs, target: ReadyTarget, raised: str, *, retires: bool = False) -> BakeTarget:
    """The least time of the weights of what is raised, or retires: an adapter, or (empty) the pools."""
    check, seconds = _conditions(service, raised).least(retires=retires)
    splits = _of(target, service, raised) if raised else (target.route,)
    return BakeTarget(seconds=seconds, splits=splits, check=check)


def probe_target(service: ModelServiceArgs, deployed: Record, raised: str, stack: str) -> ProbeTarget | None:
    """The probe that the first raise of the pools' canary needs; None where none is asked for.

    It is the wanted canary that must have passed: a change that comes together with the raise has not been probed.
    """
    canary = deployed.pools.to
    if raised or canary is None or not _conditions(service, raised).probe or deployed.pools.weights.get(canary):
        return None
    return ProbeTarget(canary=canary, digest=probed.digest(service.record, canary), stack=stack)


def _of(target: ReadyTarget, service: ModelServiceArgs, adapter: str) -> tuple[SplitTarget, ...]:
    names = {args.name for v in service.versions for args in v.splits.values() if args.model == adapter}
    return tuple(split for split in target.splits if split.name in names)


def _conditions(service: ModelServiceArgs, name: str) -> Conditions:
    return service.conditions.get(name, Conditions())


def metric_target(service: ModelServiceArgs, deployed: Record, raised: str, project: str | None) -> MetricTarget | None:
    """The metric checks of what is raised; None without any, or where the canary has no traffic to ask about yet."""
    split = deployed.adapters[raised] if raised else deployed.pools
    checks = _conditions(service, raised).checks
    if not checks or split.to is None or not split.weights.get(split.to):
        return None
    return MetricTarget(
        prometheus=Prometheus(service.metrics_url or default_url(project or "-")),
        api=service.record.door["inferenceApi"],
        checks=checks,
        canary=_series(service, raised, split.to),
        stable=_series(service, raised, split.serving) if split.weights.get(split.serving) else None,
    )


def _series(service: ModelServiceArgs, adapter: str, version: str) -> Series:
    """An adapter version's requests are told apart on the pool that serves; a pool's version has its own."""
    wanted = service.record.pools.serving if adapter else version
    found = next(v for v in service.versions if v.name == wanted)
    return Series(
        pool=found.pool_name,
        namespace=service.route.namespace,
        picker=found.picker.name if found.picker else found.pool_name,
        server=found.server.name if found.server else found.pool_name,
        labels=service.metrics_labels,
        adapter=version if adapter else None,
    )
