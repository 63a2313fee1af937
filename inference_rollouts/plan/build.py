"""Settings to plan: what stands at the stage in the config, with which weight, protected or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inference_rollouts import naming, probed, stages
from inference_rollouts.errors import InputError
from inference_rollouts.manifests.inference_pool import POOL_GROUP
from inference_rollouts.manifests.route import Backend, GatewayArgs, TestHeader, WeightedRouteArgs, listeners_of
from inference_rollouts.plan.collisions import collisions, shared_pools
from inference_rollouts.plan.conditions import conditions_of
from inference_rollouts.plan.notes import notes_on
from inference_rollouts.plan.records import record_of
from inference_rollouts.plan.values import ModelServiceArgs, Plan
from inference_rollouts.plan.versions import version_args
from inference_rollouts.record import CREATED, Record
from inference_rollouts.settings import Service, Stack


def plan_for(stack: Stack) -> Plan:
    """What should stand at the stages in the config.

    Raises:
        InputError: when two objects would have the same name, or a pool is meant twice.
    """
    # With every canary built: a name that meets another at a later stage is found now.
    prepared = [_service(name, _prepared(service), stack) for name, service in sorted(stack.services.items())]
    if problems := [*collisions(prepared), *shared_pools(prepared)]:
        raise InputError(problems)
    services = tuple(_service(name, service, stack) for name, service in sorted(stack.services.items()))
    return Plan(cluster=stack.cluster, gateway=_gateway(stack), services=services)


def _prepared(service: Service) -> Service:
    if service.rollout is None:
        return service
    return service.model_copy(update={"rollout": service.rollout.model_copy(update={"stage": "prepare"})})


def gateway_namespace(stack: Stack) -> str | None:
    """Where the Gateway stands; None for each service's own namespace."""
    return stack.gateway.namespace or ("default" if stack.gateway.create else None)


def _gateway(stack: Stack) -> GatewayArgs | None:
    create = stack.gateway.create
    if create is None:
        return None
    return GatewayArgs(
        name=stack.gateway.name,
        namespace=str(gateway_namespace(stack)),
        route_namespaces=tuple(sorted({service.namespace for service in stack.services.values()})),
        gateway_class=create.gateway_class,
        listeners=create.listeners,
        tls=create.tls,
        address=create.address,
    )


def _service(name: str, service: Service, stack: Stack) -> ModelServiceArgs:
    stage = service.rollout.stage if service.rollout else "baseline"
    canary = service.rollout.to if service.rollout else None
    standing = [service.serving]
    if canary and stages.builds_canary(stage):
        standing.append(canary)
    versions = tuple(version_args(name, service, v, stack.cluster, protect=_protected(service, v)) for v in standing)
    record = record_of(service, versions, _door(name, service, stack))
    return ModelServiceArgs(
        name=name,
        versions=versions,
        route=_route(name, service, stack, {v.name: v.pool_name for v in versions}, record),
        protect=not service.decommission,
        record=record,
        conditions=conditions_of(service, gke=stack.cluster.gke),
        metrics_url=stack.metrics.url if stack.metrics else None,
        metrics_labels=_metrics_labels(stack),
        notes=tuple(notes_on(name, service, versions, gke=stack.cluster.gke)),
    )


def _metrics_labels(stack: Stack) -> dict[str, str]:
    """Managed Prometheus holds the series of all clusters of a project."""
    if stack.metrics or not stack.cluster.gke:
        return {}
    return {"cluster": str(stack.cluster.name), "location": str(stack.cluster.location)}


def _protected(service: Service, version: str) -> bool:
    if service.decommission:
        return False
    if service.rollout is None:
        return True
    protects = stages.protects_stable if version == service.serving else stages.protects_canary
    return protects(service.rollout.stage)


def _parent_refs(service: Service, stack: Stack) -> tuple[Mapping[str, Any], ...]:
    if service.route.parent_refs:
        return service.route.parent_refs
    namespace = gateway_namespace(stack)
    across = namespace is not None and namespace != service.namespace
    return ({"name": stack.gateway.name, **({"namespace": namespace} if across else {})},)


def _route(name: str, service: Service, stack: Stack, pools: Mapping[str, str], record: Record) -> WeightedRouteArgs:
    split, annotations = record.pools, {naming.SPLIT_ANNOTATION: record.pools.to_json()}
    group = POOL_GROUP[service.inference_api]
    test = service.rollout.test if service.rollout and service.rollout.to in split.weights else None
    header = None
    if test and service.rollout:
        backend = Backend(group=group, pool=pools[service.rollout.to], weight=100)
        header = TestHeader(name=test.header, value=test.value, backend=backend)
        annotations[probed.CANARY_ANNOTATION] = probed.digest(record, service.rollout.to)
    return WeightedRouteArgs(
        name=service.route.name or name,
        namespace=service.namespace,
        parent_refs=_parent_refs(service, stack),
        hostnames=service.route.hostnames,
        matches=service.route.matches,
        backends=tuple(Backend(group=group, pool=pools[version], weight=weight) for version, weight in split.weights.items()),
        test=header,
        rules=service.route.rules,
        annotations=annotations,
        labels={naming.SERVICE_LABEL: name},
        gke=stack.cluster.gke,
    )


def _door(name: str, service: Service, stack: Stack) -> dict[str, Any]:
    """What clients come in through: it may not change while something serves behind it."""
    return {
        "gateway": stack.gateway.name,
        "route": service.route.name or name,
        "namespace": service.namespace,
        "hostnames": list(service.route.hostnames),
        "matches": [dict(match) for match in service.route.matches],
        "parentRefs": [dict(ref) for ref in _parent_refs(service, stack)],
        "inferenceApi": service.inference_api,
        **({CREATED: _frozen_gateway(created)} if (created := _gateway(stack)) else {}),
    }


def _frozen_gateway(args: GatewayArgs) -> dict[str, Any]:
    """What may not change on a Gateway of our own: its certificates may, and who is let in follows from the services."""
    listeners = [{k: v for k, v in listener.items() if k not in ("tls", "allowedRoutes")} for listener in listeners_of(args)]
    return {"class": args.gateway_class, "address": args.address, "listeners": {str(one["name"]): one for one in listeners}}
