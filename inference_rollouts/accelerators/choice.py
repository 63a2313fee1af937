"""The one node that fits what an operator wrote, or everything that is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from inference_rollouts.accelerators.catalogue import (
    N1,
    CatalogueError,
    Field,
    catalogue,
    data,
    machine_types,
    n1_size,
    no_accelerator,
    no_machine_type,
    serving,
    written,
)
from inference_rollouts.accelerators.catalogue import accelerator as accelerator_of
from inference_rollouts.accelerators.facts import MachineType
from inference_rollouts.errors import one_of

Problems = list[tuple[Field, str]]


@dataclass(frozen=True)
class NodeShape:
    """One node, complete: what its node pool asks GKE for and what a pod asks the node for.

    Attributes:
        count: accelerators per node: `guest_accelerators[].count`, and what one pod requests of `resource`.
        node_selector: labels of the node that a pod selects it by.
        taint: (key, value, effect) that a pod has to tolerate.
        tensor_parallel_size: devices that vLLM sees on the node.
        memory_gb_total: memory of all accelerators of the node, in GB.
    """

    accelerator: str
    kind: Literal["gpu", "tpu"]
    machine_type: str
    count: int
    topology: str | None
    resource: str
    node_selector: dict[str, str]
    taint: tuple[str, str, str]
    tensor_parallel_size: int
    cpu_arch: str
    memory_gb_total: int
    boot_disk_type: str | None

    @property
    def machine(self) -> MachineType:
        """The catalogue's entry, with price and GKE floor; for an N1 machine the entry of what is attached to it."""
        names = (self.machine_type, N1)
        return next(m for m in machine_types(self.accelerator) if m.name in names and m.count == self.count)


def resolve(
    *,
    accelerator: str | None = None,
    machine_type: str | None = None,
    count: int | None = None,
    topology: str | None = None,
    spot: bool = False,
    reservation: bool = False,
) -> NodeShape:
    """The one node that fits what was written; what can be derived need not be written.

    Args:
        accelerator: as GKE labels it.
        machine_type: a Compute Engine machine type.
        count: accelerators per node.
        topology: of a TPU.
        spot: spot nodes will do.
        reservation: reserved nodes will do. With neither of the two the nodes are bought on demand.

    Raises:
        CatalogueError: with everything that is wrong, of all fields.
    """
    offered = _offered(accelerator, machine_type)
    counted = [m for m in offered if count in (None, m.count)]
    fitting = [m for m in counted if topology is None or not m.topologies or topology in m.topologies]
    problems = _name_problems(accelerator, machine_type)
    problems += _choice_problems(fitting) if machine_type is None else _n1_problems(machine_type, fitting)
    problems += _count_problems(offered, count) + _topology_problems(counted or offered, topology)
    problems += _purchase_problems(fitting or offered, spot, reservation)
    if problems:
        raise CatalogueError(problems)
    return _shape(fitting[0], machine_type or fitting[0].name)


def _shape(machine: MachineType, name: str) -> NodeShape:
    carried = accelerator_of(machine.accelerator)
    kind = data()["kinds"][carried.kind]
    topology = machine.topologies[0] if machine.topologies else None
    return NodeShape(
        accelerator=carried.name,
        kind=carried.kind,
        machine_type=name,
        count=machine.count,
        topology=topology,
        resource=kind["resource"],
        node_selector={kind["label"]: carried.name} | ({kind["topology_label"]: topology} if topology else {}),
        taint=tuple(kind["taint"]),
        tensor_parallel_size=machine.count * carried.vllm_tp_devices,
        cpu_arch=machine.cpu_arch,
        memory_gb_total=machine.memory_gb_total,
        boot_disk_type=machine.boot_disk_type,
    )


def _carrying(name: str | None) -> list[MachineType]:
    """The entries of a machine type; of an N1 machine everything that can serve and can be attached to one."""
    if name is not None and n1_size(name):
        return [m for m in catalogue() if m.name == N1 and m.accelerator in serving()]
    return [m for m in catalogue() if m.name == name != N1]


def _offered(accelerator: str | None, machine_type: str | None) -> list[MachineType]:
    """What the two names leave to choose from. Where they contradict each other, the accelerator is what was meant."""
    carrying = _carrying(machine_type)
    if accelerator not in serving():
        return carrying
    return [m for m in carrying if m.accelerator == accelerator] or list(machine_types(accelerator))


def _name_problems(accelerator: str | None, machine_type: str | None) -> Problems:
    carried = list(dict.fromkeys(m.accelerator for m in _carrying(machine_type)))
    problems: Problems = []
    if accelerator is not None and accelerator not in serving():
        problems.append(("accelerator", no_accelerator(accelerator)))
    elif accelerator is None and machine_type is None:
        problems.append(("accelerator", f"name an accelerator, a machineType or both; accelerators: {one_of(serving())}"))
    elif accelerator is None and len(carried) > 1:
        problems.append(("accelerator", f"{machine_type} has no GPU of its own; name what to attach: {one_of(carried)}"))
    if machine_type is not None and not carried:
        problems.append(("machineType", no_machine_type(machine_type, accelerator)))
    elif machine_type is not None and accelerator in serving() and accelerator not in carried:
        carries = f"carries {carried[0]}, not" if len(carried) == 1 else "takes no"
        allowed = f"machine types of {accelerator}: {written(machine_types(accelerator))}"
        problems.append(("machineType", f"{machine_type} {carries} {accelerator}; {allowed}"))
    return problems


def _subject(offered: list[MachineType]) -> str:
    """What the offered machine types have in common: their name, their accelerator, or that they are N1."""
    names, carried = {m.name for m in offered}, {m.accelerator for m in offered}
    if len(carried) > 1:
        return "an N1 machine"
    return carried.pop() if len(names) > 1 or N1 in names else names.pop()


def _count_problems(offered: list[MachineType], count: int | None) -> Problems:
    counts = sorted({m.count for m in offered})
    if count is None and offered and offered[0].name == N1:
        return [("count", f"an N1 machine has the GPUs that are attached to it; write how many: {one_of(counts)}")]
    if not offered or count is None or count in counts:
        return []
    others = [m.name for m in machine_types(offered[0].accelerator) if m.count == count and m.name != N1]
    hint = f"; {one_of(others)} has {count}" if others else ""
    return [("count", f"the count of {_subject(offered)} is {one_of(counts)}, not {count}{hint}")]


def _topology_problems(offered: list[MachineType], topology: str | None) -> Problems:
    if topology is None or not offered or any(topology in m.topologies for m in offered):
        return []
    if not any(m.topologies for m in offered):
        return [("topology", f"{_subject(offered)} has GPUs, and only TPUs have a topology; leave it out")]
    family = machine_types(offered[0].accelerator)
    hosts = one_of(f"{t} ({m.name})" for m in family for t in m.topologies)
    allowed = f"single-host topologies of {offered[0].accelerator}: {hosts}"
    for m in [*offered, *family]:
        if topology in m.multi_host_topologies:
            why = "a multi-host slice needs a LeaderWorkerSet, which this package does not create"
            return [("topology", f"{topology} of {m.name} spans several nodes; {why}; {allowed}")]
    return [("topology", f"{topology} is no topology of {_subject(offered)}; {allowed}")]


def _purchase_problems(offered: list[MachineType], spot: bool, reservation: bool) -> Problems:
    remedies = {
        "on-demand": "leave it out",
        "spot": "set spot: true (the version can then be a canary only)",
        "reservation": "name a reservation",
    }
    asked: dict[Field, bool] = {"spot": spot, "reservation": reservation}
    wanted: list[Field] = [mode for mode, will_do in asked.items() if will_do]
    sold = list(dict.fromkeys(mode for m in offered for mode in m.consumption))
    if not offered or set(wanted or ["on-demand"]) & set(sold):
        return []
    field: Field = wanted[0] if wanted else "spot" if "spot" in sold else "reservation"
    remedy = " or ".join(text for mode, text in remedies.items() if mode in sold)
    given = one_of(wanted or ["on-demand"])
    return [(field, f"{_subject(offered)} is sold only as {one_of(sold)}, not as {given}; {remedy}{_on_demand(offered)}")]


def _on_demand(offered: list[MachineType]) -> str:
    """The machine types of the same accelerator that can be had without further ado."""
    names = dict.fromkeys(m.name for m in machine_types(offered[0].accelerator) if "on-demand" in m.consumption)
    return f"; {offered[0].accelerator} is sold on-demand in {one_of(names)}" if names else ""


def _choice_problems(fitting: list[MachineType]) -> Problems:
    if len(fitting) < 2 and not any(m.name == N1 for m in fitting):
        return []
    return [("machineType", f"{_subject(fitting)} comes in several machine types; write one: {written(fitting)}")]


def _n1_problems(name: str, fitting: list[MachineType]) -> Problems:
    size = n1_size(name)
    if size is None or len(fitting) != 1 or fitting[0].name != N1:
        return []
    attached = fitting[0]
    if size[0] <= attached.vcpu and size[1] <= attached.ram_gb:
        return []
    limit = f"{attached.count} {attached.accelerator} allows at most {attached.vcpu} vCPUs and {attached.ram_gb} GB"
    return [("machineType", f"{name} has {size[0]} vCPUs and {size[1]:g} GB; {limit}")]
