"""Arguments and properties of a GKE node pool with accelerators (pulumi-gcp `container.NodePool`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from inference_rollouts.manifests.objects import without_none

SIZE_FIELDS = frozenset({"autoscaling", "node_count"})
"""What may change on a version that carries traffic: the pool's size."""


@dataclass(frozen=True, kw_only=True)
class AcceleratorNodePoolArgs:
    """A node pool of one kind of accelerator.

    Attributes:
        name: name of the node pool in GKE; also the value of the label cloud.google.com/gke-nodepool.
        cluster: name of the GKE cluster.
        location: region or zone of the cluster.
        project: project of the cluster; None takes the provider's.
        kind: gpu or tpu; a TPU slice takes its accelerators from the machine type and the topology.
        accelerator: GKE's name of the accelerator.
        machine_type: Compute Engine machine type.
        count: accelerators per node (GPU: guest_accelerators.count).
        topology: TPU topology of the one host; None for GPUs.
        zones: zones of the nodes; empty takes the cluster's.
        min_nodes, max_nodes: limits of the autoscaler, in all zones together.
        spot: spot nodes.
        reservation: name of a specific reservation.
        driver: NVIDIA driver that GKE installs (GPU only).
        version: GKE version of the nodes; None takes the cluster's.
        boot_disk_type: where the machine type asks for one.
    """

    name: str
    cluster: str
    location: str
    project: str | None = None
    kind: Literal["gpu", "tpu"] = "gpu"
    accelerator: str
    machine_type: str
    count: int = 1
    topology: str | None = None
    zones: tuple[str, ...] = ()
    min_nodes: int = 0
    max_nodes: int
    spot: bool = False
    reservation: str | None = None
    driver: str = "DEFAULT"
    version: str | None = None
    boot_disk_type: str | None = None


def node_pool(args: AcceleratorNodePoolArgs) -> dict[str, Any]:
    """Keyword arguments of `gcp.container.NodePool`.

    `initial_node_count` is never set: it forces a replacement and drifts with every resize (pulumi-gcp#412). Upgrades are
    held until the version's end of support, since an upgrade may move the driver: another GKE version is another version
    of the service. A pool that is deleted respects the pod disruption budgets.
    """
    return without_none(
        {
            "name": args.name,
            "cluster": args.cluster,
            "location": args.location,
            "project": args.project,
            "node_locations": list(args.zones) or None,
            "autoscaling": {
                "total_min_node_count": args.min_nodes,
                "total_max_node_count": args.max_nodes,
                "location_policy": "ANY",
            },
            "management": {"auto_repair": True, "auto_upgrade": True},
            "maintenance_policies": [{"exclusion_until_end_of_supports": [{"enabled": True}]}],
            "node_drain_configs": [{"respect_pdb_during_node_pool_deletion": True}],
            "upgrade_settings": {"strategy": "SURGE", "max_surge": 1, "max_unavailable": 0},
            "version": args.version,
            "node_config": _node_config(args),
        }
    )


def _node_config(args: AcceleratorNodePoolArgs) -> dict[str, Any]:
    gpu = args.kind == "gpu"
    return without_none(
        {
            "machine_type": args.machine_type,
            "guest_accelerators": [_guest_accelerator(args)] if gpu else None,
            "boot_disk": {"disk_type": args.boot_disk_type} if args.boot_disk_type else None,
            "spot": True if args.spot else None,
            "reservation_affinity": _reservation(args.reservation),
            "gcfs_config": {"enabled": True},
            "gvnic": {"enabled": True},
            "oauth_scopes": ["https://www.googleapis.com/auth/cloud-platform"],
            "workload_metadata_config": {"mode": "GKE_METADATA"},
            "taints": [{"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}] if gpu else None,
        }
    )


def _guest_accelerator(args: AcceleratorNodePoolArgs) -> dict[str, Any]:
    driver = {"gpu_driver_version": args.driver}
    return {"type": args.accelerator, "count": args.count, "gpu_driver_installation_config": driver}


def _reservation(name: str | None) -> dict[str, Any] | None:
    if name is None:
        return None
    key = "compute.googleapis.com/reservation-name"
    return {"consume_reservation_type": "SPECIFIC_RESERVATION", "key": key, "values": [name]}


def frozen_node_pool(args: AcceleratorNodePoolArgs) -> dict[str, Any]:
    """What may not change on a version that carries traffic: everything but the size."""
    return {key: value for key, value in node_pool(args).items() if key not in SIZE_FIELDS}


REPLACING = (
    "name",
    "cluster",
    "location",
    "project",
    "placement_policy",
    "network_config",
    "node_config.guest_accelerators",
    "node_config.metadata",
    "node_config.oauth_scopes",
    "node_config.preemptible",
    "node_config.reservation_affinity",
    "node_config.service_account",
    "node_config.shielded_instance_config",
    "node_config.spot",
    "node_config.flex_start",
    "node_config.max_run_duration",
    "node_config.advanced_machine_features",
    "node_config.sole_tenant_config",
)
"""Fields whose change replaces the pool: ForceNew in hashicorp/terraform-provider-google-beta 93c65b2d (7.46)."""


def replaces(path: str) -> bool:
    """Whether a change at this path (snake_case, dotted) replaces the node pool. Only `node_config` as a whole counts too."""
    return path == "node_config" or any(path == field or path.startswith((f"{field}.", f"{field}[")) for field in REPLACING)
