"""What a node of a machine type has, and what GKE leaves of it for pods.

Reservations after "Plan GKE Standard node sizes" (docs.cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from inference_rollouts.accelerators import machine_types

GIB = 1024**3
EVICTION = 100 * 1024**2
"""Bytes that the kubelet keeps free before it evicts pods."""

CPU_SHARES = ((1, 0.06), (1, 0.01), (2, 0.005), (float("inf"), 0.0025))
MEMORY_SHARES = ((4, 0.25), (4, 0.20), (8, 0.10), (112, 0.06), (float("inf"), 0.02))
"""How much of the next so many vCPUs (GiB) GKE reserves."""

GB_PER_VCPU = {"n1-standard": 3.75, "n1-highmem": 6.5, "n1-highcpu": 0.9, "highmem": 8.0, "highcpu": 1.0}
"""Memory of machine types that the catalogue of accelerators does not hold; all others have 4 GB."""


@dataclass(frozen=True)
class Machine:
    """What a machine has.

    Attributes:
        vcpu: vCPUs.
        memory: bytes.
        chips: accelerators that are built in; 0 for what GPUs are attached to.
        topologies: TPU topologies that are one node of it.
        architecture: amd64 or arm64.
    """

    vcpu: int
    memory: int
    chips: int = 0
    topologies: tuple[str, ...] = ()
    architecture: str = "amd64"

    @property
    def allocatable_millicpu(self) -> int:
        """What is left for pods, in thousandths of a vCPU."""
        return int(1000 * (self.vcpu - _reserved(self.vcpu, CPU_SHARES)))

    @property
    def allocatable_memory(self) -> int:
        """What is left for pods, in bytes."""
        return int(self.memory - GIB * _reserved(self.memory / GIB, MEMORY_SHARES)) - EVICTION


def _reserved(amount: float, shares: tuple[tuple[float, float], ...]) -> float:
    reserved = 0.0
    for size, share in shares:
        part = min(amount, size)
        reserved += part * share
        amount -= part
    return reserved


def machine(name: str) -> Machine:
    """The machine of a Compute Engine machine type: as the catalogue says, else as its name says (`e2-standard-16`).

    Raises:
        ValueError: when neither knows it.
    """
    for known in machine_types():
        if known.name == name:
            architecture = "arm64" if "arm" in known.cpu_arch else "amd64"
            return Machine(known.vcpu, int(known.ram_gb * GIB), known.count, known.topologies, architecture)
    if custom := re.fullmatch(r"(?:[a-z]\w+-)?custom-(\d+)-(\d+)(?:-ext)?", name):
        return Machine(int(custom[1]), int(custom[2]) * 1024**2)
    found = re.fullmatch(r"([a-z]\w+)-([a-z]+)-(\d+)", name)
    if found is None:
        raise ValueError(f"the sandbox does not know the machine type {name}")
    per_vcpu = GB_PER_VCPU.get(f"{found[1]}-{found[2]}", GB_PER_VCPU.get(found[2], 4.0))
    return Machine(int(found[3]), int(int(found[3]) * per_vcpu * GIB))
