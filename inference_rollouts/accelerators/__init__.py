"""What GKE sells to serve on: accelerators, the machine types that carry them, and the node they make.

Owns the catalogue (`data/accelerators.json`: facts with their sources, dates and doubts) and `resolve`, which turns
what an operator wrote into one complete `NodeShape` or says everything that is wrong with it. Leaves alone what only
a live project can answer (stock, quota, zones), and multi-host TPU slices: those need a LeaderWorkerSet.
"""

from inference_rollouts.accelerators.catalogue import (
    N1,
    CatalogueError,
    accelerator,
    accelerators,
    check_machine_type,
    data_as_of,
    machine_type,
    machine_types,
    sources,
)
from inference_rollouts.accelerators.choice import NodeShape, resolve
from inference_rollouts.accelerators.facts import Accelerator, MachineType, Price, Quota

__all__ = [
    "N1",
    "Accelerator",
    "CatalogueError",
    "MachineType",
    "NodeShape",
    "Price",
    "Quota",
    "accelerator",
    "accelerators",
    "check_machine_type",
    "data_as_of",
    "machine_type",
    "machine_types",
    "resolve",
    "sources",
]
