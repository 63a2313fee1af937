"""One version of a service: its settings as the arguments of node pool, server, pool and picker."""

from __future__ import annotations

from inference_rollouts import naming
from inference_rollouts.accelerators import NodeShape
from inference_rollouts.capacity import demand, replicas_for
from inference_rollouts.manifests.endpoint_picker import EndpointPickerArgs
from inference_rollouts.manifests.inference_pool import InferencePoolArgs
from inference_rollouts.manifests.model_server import AutoscalingArgs, ModelServerArgs
from inference_rollouts.manifests.node_pool import AcceleratorNodePoolArgs
from inference_rollouts.plan.records import capacity_of
from inference_rollouts.plan.splits import held_adapters, models_of, splits_on
from inference_rollouts.plan.values import ServedVersionArgs
from inference_rollouts.settings import Autoscaling, Cluster, Nodes, Service, Version
from inference_rollouts.settings.checks import elsewhere, pods_at_most, resolve
from inference_rollouts.stages import canary_weight


def shape_of(version: Version) -> NodeShape | None:
    """What the catalogue knows of a version's nodes; None without accelerators."""
    nodes = version.nodes or Nodes()
    return resolve(nodes) if nodes.accelerator or nodes.machine_type else None


def _labels(service: str, version: str) -> dict[str, str]:
    return {naming.SERVICE_LABEL: service, naming.VERSION_LABEL: version}


def version_args(name: str, service: Service, version: str, cluster: Cluster, *, protect: bool) -> ServedVersionArgs:
    """All parts of one version that stands."""
    settings = service.versions[version]
    shape = shape_of(settings)
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
    splits = dict(splits_on(name, service, pool, labels))
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


def _autoscaling(service: Service, version: str, scale: Autoscaling) -> AutoscalingArgs:
    """The autoscaler's minimum: during a rollout what the canary needs at its next rung, and stable for a rollback.

    So the pods are there before the weight is, and stay until the way back is not needed any more.
    """
    now, ahead = _least(service, version)
    least, needed = (min(scale.max, max(scale.min, pods)) for pods in (ahead, now))
    return AutoscalingArgs(min=least, max=scale.max, metric=scale.metric, target=scale.target, needed=needed)


def _least(service: Service, version: str) -> tuple[int, int]:
    """Pods that a version's weight needs during a rollout, and those for the next rung; 0 where there are no figures."""
    rollout, capacity = service.rollout, capacity_of(service.versions[version])
    peak = service.peak.value if service.peak else None
    wanted = demand(peak, capacity_of(service.versions[service.serving]))
    if rollout is None or rollout.stage == "baseline" or capacity is None or wanted is None:
        return 0, 0
    if version == service.serving:
        everything = replicas_for(100, wanted, capacity)
        return everything, everything
    ladder = rollout.ladder
    following = ladder[min(ladder.index(rollout.stage) + 1, len(ladder) - 1)]
    weight = canary_weight(rollout.stage)
    ahead = max(weight, canary_weight(following))
    return replicas_for(weight, wanted, capacity), replicas_for(ahead, wanted, capacity)


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
        autoscaling=_autoscaling(service, version, scale) if scale else None,
        accelerator_resource=shape.resource if shape else None,
        accelerators=shape.count if shape else 0,
        devices=shape.tensor_parallel_size if shape else 0,
        node_selector=_node_selector(version, settings, cluster, shape),
        tolerate=shape.taint[0] if shape else None,
        max_loras=server.lora.max_loras if server.lora else 0,
        max_rank=server.lora.max_rank if server.lora else 0,
        adapters=tuple(held_adapters(service, settings)),
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
