"""The accelerators of a node, by the `nodeConfig` of its pool: what GKE's device plugins and labels say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inference_rollouts.accelerators import CatalogueError, accelerator, machine_type

GPU, TPU = "nvidia.com/gpu", "google.com/tpu"
DRIVERS = {"DEFAULT": "default", "LATEST": "latest", "INSTALLATION_DISABLED": "disabled"}
PREFIX = "cloud.google.com"


@dataclass(frozen=True)
class Accelerators:
    """What a node carries.

    Attributes:
        resource: as pods request it; empty without accelerators.
        count: on one node.
        labels: of the node.
    """

    resource: str = ""
    count: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)


def accelerators(config: Mapping[str, Any], inputs: Mapping[str, Any]) -> Accelerators:
    """From a pool's nodeConfig and inputs. GPUs are there only where `guestAccelerators` says so; TPUs come with the machine."""
    for gpu in config.get("guestAccelerators") or ():
        return _gpus(gpu)
    try:
        carried = machine_type(config.get("machineType") or "")
        chips = accelerator(carried.accelerator)
    except CatalogueError:
        return Accelerators()
    if chips.kind != "tpu":
        return Accelerators()
    topology = (inputs.get("placementPolicy") or {}).get("tpuTopology") or carried.topologies[0]
    labels = {
        f"{PREFIX}/gke-tpu-accelerator": chips.name,
        f"{PREFIX}/gke-tpu-topology": topology,
        f"{PREFIX}/gke-accelerator-count": str(carried.count),
    }
    return Accelerators(TPU, carried.count, labels)


def _gpus(gpu: Mapping[str, Any]) -> Accelerators:
    count = int(gpu["count"])
    labels = {f"{PREFIX}/gke-accelerator": gpu["type"], f"{PREFIX}/gke-accelerator-count": str(count)}
    driver = (gpu.get("gpuDriverInstallationConfig") or {}).get("gpuDriverVersion")
    if driver in DRIVERS:
        labels[f"{PREFIX}/gke-gpu-driver-version"] = DRIVERS[driver]
    if part := gpu.get("gpuPartitionSize"):
        labels[f"{PREFIX}/gke-gpu-partition-size"] = part
    return Accelerators(GPU, count, labels)
