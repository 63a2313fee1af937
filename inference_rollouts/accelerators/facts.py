"""What the catalogue knows of accelerators and of the machine types that carry them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Quota:
    """The Compute Engine quotas that nodes with an accelerator draw on, counted in accelerators per region.

    Attributes:
        on_demand: for on-demand nodes and reservations; GPUS_PER_GPU_FAMILY and TPUS_PER_TPU_FAMILY go by family.
        spot: for spot and flex-start nodes; None where no source names it.
        family: the value of the dimension gpu_family or tpu_family; None where there is none or no source names it.
    """

    on_demand: str
    spot: str | None
    family: str | None


@dataclass(frozen=True)
class Price:
    """List prices of one node, in US dollars per hour; None where none was found.

    Attributes:
        source: key of `sources()`.
        date: day of the price list (ISO), None where the source shows none.
        region: where the price holds, None where the source does not say.
    """

    source: str
    date: str | None
    region: str | None
    on_demand: float | None = None
    spot: float | None = None


@dataclass(frozen=True)
class Accelerator:
    """One GPU or TPU generation.

    Attributes:
        name: value of the node label `cloud.google.com/gke-accelerator` or `cloud.google.com/gke-tpu-accelerator`.
        memory_gb: memory of one accelerator, in GB (not GiB).
        consumption: how its nodes are bought, of on-demand, spot, flex-start and reservation.
        refused: why it cannot serve; None when it can.
        gke_min: version floors on Standard clusters, one per GKE minor; a version passes when it reaches the floor of
            its own minor, or when its minor is above all listed. Empty: any version, or unknown (`gke_min_known`).
        machine_types: what carries it; `n1-*` where it is attached to an N1 machine.
        vllm_tp_devices: how many devices vLLM sees in one accelerator; two in a tpu7x chip, which has two TensorCores.
    """

    name: str
    kind: Literal["gpu", "tpu"]
    title: str
    memory_gb: int
    cpu_arch: str
    consumption: tuple[str, ...]
    compute_capability: str | None
    driver_min: str | None
    gke_min: tuple[str, ...]
    gke_min_known: bool
    quota: Quota
    machine_types: tuple[str, ...]
    refused: str | None = None
    vllm_tp_devices: int = 1


@dataclass(frozen=True)
class MachineType:
    """One machine type with the accelerators it carries.

    Attributes:
        name: the Compute Engine machine type, or `n1-*`.
        count: accelerators per node as GKE counts them: 1 for the machine types that carry a fraction of a G4 GPU.
        memory_gb_total: memory of all accelerators of a node, in GB.
        vcpu: vCPUs of a node; for `n1-*` the most that this count of GPUs allows.
        ram_gb: memory of the machine itself, in GB; for `n1-*` the most.
        gke_min: as of the accelerator, where the machine type has no floor of its own.
        topologies: TPU topologies that are one node.
        multi_host_topologies: TPU topologies that are slices of several nodes of this machine type.
        boot_disk_type: the boot disk that the machine type asks for, None where any will do.
        note: what else to know before choosing it.
    """

    name: str
    accelerator: str
    count: int
    memory_gb_total: int
    vcpu: int
    ram_gb: float
    cpu_arch: str
    consumption: tuple[str, ...]
    gke_min: tuple[str, ...]
    gke_min_known: bool
    boot_disk_type: str | None
    price_usd_hour: Price | None
    topologies: tuple[str, ...] = ()
    multi_host_topologies: tuple[str, ...] = ()
    note: str | None = None
