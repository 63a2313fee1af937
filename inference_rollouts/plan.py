"""Settings to plan: what stands at the stage in the config, with which weight, protected or not.

The plan is a value: the arguments of every component and the record that the guard compares. Pure; everyone reads the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from inference_rollouts import naming, stages, wording
from inference_rollouts.accelerators import NodeShape
from inference_rollouts.errors import InputError, Problem, path_of
from inference_rollouts.manifests import adapter_split, endpoint_picker, inference_pool, model_server, node_pool
from inference_rollouts.manifests.adapter_split import OBJECTIVE_HEADER, AdapterSplitArgs
from inference_rollouts.manifests.endpoint_picker import EndpointPickerArgs
from inference_rollouts.manifests.inference_pool import POOL_GROUP, InferencePoolArgs
from inference_rollouts.manifests.model_server import AdapterArgs, AutoscalingArgs, ModelServerArgs
from inference_rollouts.manifests.node_pool import AcceleratorNodePoolArgs
from inference_rollouts.manifests.objects import Manifest
from inference_rollouts.manifests.route import Backend, GatewayArgs, TestHeader, WeightedRouteArgs
from inference_rollouts.record import Override, Record, Split
from inference_rollouts.settings import Adapter, AdapterRollout, Cluster, Nodes, Service, Stack, Version
from inference_rollouts.settings.checks import elsewhere, pods_at_most, resolve
from inference_rollouts.settings.kind import differs_in_size_only, pool_kind


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
class ModelServiceArgs:
    """One service: the versions that stand, the route between them, and the record of it all.

    Attributes:
        name: the service's name.
        versions: those that stand, stable first.
        route: the weighted route.
        protect: whether the route and the record may not be deleted.
        record: what the guard compares with what is deployed.
        notes: what a preview should say besides operations, one sentence each.
    """

    name: str
    versions: tuple[ServedVersionArgs, ...]
    route: WeightedRouteArgs
    protect: bool
    record: Record
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that should stand in a stack."""

    cluster: Cluster
    gateway: GatewayArgs | None
    services: tuple[ModelServiceArgs, ...]


def plan_for(stack: Stack) -> Plan:
    """What should stand at the stages in the config.

    Raises:
        InputError: when two objects would have the same name.
    """
    services = tuple(_service(name, service, stack) for name, service in sorted(stack.services.items()))
    plan = Plan(cluster=stack.cluster, gateway=_gateway(stack), services=services)
    if problems := collisions(plan):
        raise InputError(problems)
    return plan


def _gateway(stack: Stack) -> GatewayArgs | None:
    create = stack.gateway.create
    if create is None:
        return None
    return GatewayArgs(
        name=stack.gateway.name,
        namespace=stack.gateway.namespace or "default",
        gateway_class=create.gateway_class,
        listeners=create.listeners,
        tls=create.tls,
        address=create.address,
    )


# --- one service ------------------------------------------------------------------------------------------------------


def _service(name: str, service: Service, stack: Stack) -> ModelServiceArgs:
    stage = service.rollout.stage if service.rollout else "baseline"
    canary = service.rollout.to if service.rollout else None
    standing = [service.serving]
    if canary and stages.builds_canary(stage):
        standing.append(canary)
    shapes = {v: shape_of(service.versions[v]) for v in standing}
    versions = tuple(_version(name, service, v, stack.cluster, shapes[v]) for v in standing)
    return ModelServiceArgs(
        name=name,
        versions=versions,
        route=_route(name, service, stack, {v.name: v.pool_name for v in versions}),
        protect=not service.decommission,
        record=record_of(service, versions, _door(name, service, stack)),
        notes=tuple(_notes(name, service, versions)),
    )


def shape_of(version: Version) -> NodeShape | None:
    """What the catalogue knows of a version's nodes; None without accelerators."""
    nodes = version.nodes or Nodes()
    return resolve(nodes) if nodes.accelerator or nodes.machine_type else None


def models_of(name: str, service: Service) -> tuple[str, ...]:
    """The model names that clients send."""
    return service.models or (name,)


def _protected(service: Service, version: str) -> bool:
    if service.decommission:
        return False
    if service.rollout is None:
        return True
    protects = stages.protects_stable if version == service.serving else stages.protects_canary
    return protects(service.rollout.stage)


def _labels(service: str, version: str) -> dict[str, str]:
    return {naming.SERVICE_LABEL: service, naming.VERSION_LABEL: version}


def _version(name: str, service: Service, version: str, cluster: Cluster, shape: NodeShape | None) -> ServedVersionArgs:
    settings = service.versions[version]
    protect = _protected(service, version)
    if settings.external:
        return ServedVersionArgs(name=version, external_pool=settings.external.pool, protect=protect)
    labels = _labels(name, version)
    server = _server(name, service, version, cluster, shape)
    picker_name = settings.names.picker or naming.picker_name(version)
    picker = settings.endpoint_picker
    pool = InferencePoolArgs(
        name=settings.names.pool or version,
        namespace=service.namespace,
        api=service.inference_api,
        selector=server.selector,
        picker=picker_name,
        failure_mode=picker.failure_mode,
        gke=cluster.gke,
        longest_request=service.longest_request,
        backend_policy=service.backend_policy,
        labels=labels,
    )
    splits = dict(_splits(name, service, pool, labels))
    return ServedVersionArgs(
        name=version,
        nodes=_nodes(version, settings, cluster, shape),
        server=server,
        pool=pool,
        picker=EndpointPickerArgs(
            name=picker_name,
            namespace=service.namespace,
            pool=pool.name,
            api=service.inference_api,
            image=picker.image,
            replicas=picker.replicas,
            resources=picker.resources,
            args=picker.args,
            config=picker.config,
            monitoring=cluster.gke,
            labels=labels,
        ),
        protect=protect,
        splits=splits,
        protect_splits={part: protect and not _leaves(service, split.model) for part, split in splits.items()},
    )


def _leaves(service: Service, model: str) -> bool:
    return model in service.adapters and service.adapters[model].decommission


def _nodes(version: str, settings: Version, cluster: Cluster, shape: NodeShape | None) -> AcceleratorNodePoolArgs | None:
    nodes = settings.nodes or Nodes()
    if not cluster.gke or elsewhere(nodes) or shape is None:
        return None
    return AcceleratorNodePoolArgs(
        name=settings.names.node_pool or version,
        cluster=str(cluster.name),
        location=str(cluster.location),
        project=cluster.project,
        kind=shape.kind,
        accelerator=shape.accelerator,
        machine_type=shape.machine_type,
        count=shape.count,
        topology=shape.topology,
        zones=nodes.zones,
        min_nodes=nodes.min or 0,
        max_nodes=nodes.max or (pods_at_most(settings.server) + 1 if settings.server else 1),
        spot=bool(nodes.spot),
        reservation=nodes.reservation,
        driver=nodes.driver or "DEFAULT",
        version=nodes.version,
        boot_disk_type=shape.boot_disk_type,
    )


def _node_selector(version: str, settings: Version, cluster: Cluster, shape: NodeShape | None) -> dict[str, str]:
    """Only this version's nodes: its own pool by name, so that stable's pods never land on the canary's hardware."""
    nodes = settings.nodes or Nodes()
    accelerator = dict(shape.node_selector) if shape else {}
    if nodes.node_selector:
        return dict(nodes.node_selector)
    if nodes.compute_class:
        return {"cloud.google.com/compute-class": nodes.compute_class}
    if nodes.existing or cluster.gke:
        pool = nodes.existing or settings.names.node_pool or version
        return {"cloud.google.com/gke-nodepool": pool, **accelerator}
    return accelerator


def _server(name: str, service: Service, version: str, cluster: Cluster, shape: NodeShape | None) -> ModelServerArgs:
    settings = service.versions[version]
    server = settings.server
    assert server is not None, "checks let no built version pass without a server"
    server_name = settings.names.server or version
    scale = server.autoscaling
    return ModelServerArgs(
        name=server_name,
        namespace=service.namespace,
        selector={"app": server_name},
        labels={**server.pod_labels, **_labels(name, version)},
        annotations=server.pod_annotations,
        models=models_of(name, service),
        model=server.model,
        image=str(server.image),
        engine=server.engine,
        replicas=server.replicas,
        autoscaling=AutoscalingArgs(min=scale.min, max=scale.max, metric=scale.metric, target=scale.target) if scale else None,
        accelerator_resource=shape.resource if shape else None,
        accelerators=shape.count if shape else 0,
        devices=shape.tensor_parallel_size if shape else 0,
        node_selector=_node_selector(version, settings, cluster, shape),
        tolerate=shape.taint[0] if shape else None,
        max_loras=server.lora.max_loras if server.lora else 0,
        max_rank=server.lora.max_rank if server.lora else 0,
        adapters=tuple(_held_adapters(service, settings)),
        service_account=server.service_account,
        args=server.args,
        env=server.env,
        resources=server.resources,
        token_secret=(server.token_secret.name, server.token_secret.key) if server.token_secret else None,
        longest_request=service.longest_request,
        load_timeout=server.load_timeout,
        pod_spec=server.pod_spec,
        monitoring=cluster.gke,
    )


# --- adapters ---------------------------------------------------------------------------------------------------------


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


def _held_adapters(service: Service, version: Version) -> Iterator[AdapterArgs]:
    for _, adapter in sorted(service.adapters.items()):
        for key, routed in held_by_servers(adapter).items():
            yield AdapterArgs(name=key, source=source_of(adapter, key, version), routed=routed)


def _splits(
    name: str, service: Service, pool: InferencePoolArgs, labels: Mapping[str, str]
) -> Iterator[tuple[str, AdapterSplitArgs]]:
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


# --- route, door, record ----------------------------------------------------------------------------------------------


def _parent_refs(service: Service, stack: Stack) -> tuple[Mapping[str, Any], ...]:
    if service.route.parent_refs:
        return service.route.parent_refs
    namespace = stack.gateway.namespace
    across = namespace is not None and namespace != service.namespace
    return ({"name": stack.gateway.name, **({"namespace": namespace} if across else {})},)


def _route(name: str, service: Service, stack: Stack, pools: Mapping[str, str]) -> WeightedRouteArgs:
    split = split_of(service.serving, service.rollout, decommission=service.decommission)
    group = POOL_GROUP[service.inference_api]
    test = service.rollout.test if service.rollout and service.rollout.to in split.weights else None
    header = None
    if test and service.rollout:
        backend = Backend(group=group, pool=pools[service.rollout.to], weight=100)
        header = TestHeader(name=test.header, value=test.value, backend=backend)
    return WeightedRouteArgs(
        name=service.route.name or name,
        namespace=service.namespace,
        parent_refs=_parent_refs(service, stack),
        hostnames=service.route.hostnames,
        matches=service.route.matches,
        backends=tuple(Backend(group=group, pool=pools[version], weight=weight) for version, weight in split.weights.items()),
        test=header,
        rules=service.route.rules,
        annotations={naming.SPLIT_ANNOTATION: split.to_json()},
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
    }


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
        "podTemplate": model_server.pod_template(version.server),
        "pool": inference_pool.frozen_pool(version.pool),
    }


# --- what a preview says beside operations ----------------------------------------------------------------------------


def _notes(name: str, service: Service, versions: tuple[ServedVersionArgs, ...]) -> Iterator[str]:
    if service.rollout and service.rollout.to in service.versions:
        stable, canary = service.versions[service.serving], service.versions[service.rollout.to]
        if differs_in_size_only(stable, canary):
            yield wording.differs_in_size_only(service.serving, service.rollout.to)
    if service.decommission:
        yield wording.decommissioned(f"service {name}")
    for key, adapter in sorted(service.adapters.items()):
        if adapter.decommission:
            yield wording.decommissioned(f"adapter {key}")
        if adapter.criticality and service.inference_api != "v1alpha2":
            objects = [f"{v.pool_name}-{naming.object_name(key)}" for v in versions]
            yield wording.objective_header(key, adapter.criticality, OBJECTIVE_HEADER[service.inference_api], objects)
    for version in versions:
        if version.server and version.server.engine == "vllm" and not model_server.knows_shutdown_timeout(version.server.image):
            yield wording.no_shutdown_timeout(version.name, version.server.image)


def kind_of_pools(service: Service) -> str:
    """`node` or `base-model`: what really differs between the versions of the rollout."""
    assert service.rollout is not None, "only a rollout has a kind"
    return pool_kind(service.versions[service.serving], service.versions[service.rollout.to])


# --- names ------------------------------------------------------------------------------------------------------------


def collisions(plan: Plan) -> list[Problem]:
    """Objects that would have the same kind, namespace and name, each pair as a problem."""
    owner: dict[tuple[str, str, str], str] = {}
    problems = []
    for place, kind, namespace, name in _all_names(plan):
        first = owner.setdefault((kind, namespace, name), place)
        if first != place:
            where = f" in namespace {namespace}" if namespace else ""
            problems.append(
                Problem(place, f"its {kind} {name}{where} has the same name as that of {first}; give it another one (names)")
            )
    return problems


def _all_names(plan: Plan) -> Iterator[tuple[str, str, str, str]]:
    for service in plan.services:
        yield path_of("services", service.name, "route"), "HTTPRoute", service.route.namespace, service.route.name
        for version in service.versions:
            place = path_of("services", service.name, "versions", version.name)
            for manifest in manifests_of(version):
                meta = manifest["metadata"]
                yield place, manifest["kind"], meta["namespace"], meta["name"]
            if version.nodes:
                yield place, "node pool", "", version.nodes.name


def manifests_of(version: ServedVersionArgs) -> Iterator[Manifest]:
    """Every Kubernetes object of a version."""
    if version.server:
        yield from model_server.objects(version.server).values()
    if version.pool:
        yield from inference_pool.objects(version.pool).values()
    if version.picker:
        yield from endpoint_picker.objects(version.picker).values()
    for split in version.splits.values():
        yield from adapter_split.objects(split).values()
