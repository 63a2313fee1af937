"""What GKE sells to serve on: accelerators, the machine types that carry them, and the node they make.

Owns the catalogue (`data/accelerators.json`: facts with their sources, dates and doubts) and `resolve`, which turns
what an operator wrote into one complete `NodeShape` or says everything that is wrong with it. Leaves alone what only
a live project can answer (stock, quota, zones), and multi-host TPU slices: those need a LeaderWorkerSet.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from inference_rollouts.errors import nearest, one_of

Field = Literal["accelerator", "machineType", "count", "topology", "spot", "reservation"]
Record = TypeVar("Record")
Problems = list[tuple[Field, str]]

N1 = "n1-*"
"""The name under which the catalogue holds what can be attached to an N1 machine, one entry per count."""

gpu_drivers = ("DEFAULT", "LATEST", "INSTALLATION_DISABLED")
"""Values of `gpu_driver_version`; GKE takes DEFAULT when none is given, and LATEST works on COS images only."""


class CatalogueError(Exception):
    """What was asked for is not to be had on GKE. Holds every problem as (field, sentence), never only the first."""

    def __init__(self, problems: Iterable[tuple[Field, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{field}: {sentence}" for field, sentence in self.problems))


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


@cache
def _data() -> dict[str, Any]:
    return json.loads(Path(__file__).with_name("data").joinpath("accelerators.json").read_text(encoding="utf-8"))


def data_as_of() -> str:
    """The month of the newest source, as YYYY-MM."""
    return _data()["data_as_of"]


def sources() -> Mapping[str, str]:
    """What each source key stands for."""
    return _data()["sources"]


def _record(cls: type[Record], facts: Mapping[str, Any], **derived: Any) -> Record:
    """A dataclass from the facts that bear its fields' names, lists as tuples, and from what is derived."""
    names = cls.__annotations__.keys() - derived.keys()
    plain = {name: tuple(fact) if isinstance(fact, list) else fact for name, fact in facts.items() if name in names}
    return cls(**plain, **derived)


@cache
def accelerators() -> tuple[Accelerator, ...]:
    """Every accelerator of the catalogue, those that cannot serve too."""
    carriers: dict[str, dict[str, None]] = {}
    for entry in [*_data()["machine_types"], *_data()["n1_attachable"]]:
        carriers.setdefault(entry["accelerator"], {})[entry.get("name", N1)] = None
    return tuple(
        _record(
            Accelerator,
            facts,
            name=name,
            gke_min=tuple(facts["gke_min"].get("standard", ())),
            gke_min_known="standard" in facts["gke_min"],
            quota=_record(Quota, facts["quota"]),
            machine_types=tuple(carriers[name]),
        )
        for name, facts in _data()["accelerators"].items()
    )


def accelerator(name: str) -> Accelerator:
    """The accelerator of that name; CatalogueError when GKE has none."""
    for known in accelerators():
        if known.name == name:
            return known
    raise CatalogueError([("accelerator", _no_accelerator(name))])


@cache
def _catalogue() -> tuple[MachineType, ...]:
    return tuple(_machine_type(facts) for facts in [*_data()["machine_types"], *_data()["n1_attachable"]])


def _machine_type(facts: dict[str, Any]) -> MachineType:
    carried = accelerator(facts["accelerator"])
    price = facts.get("price_usd_hour")
    return _record(
        MachineType,
        {"name": N1, "consumption": carried.consumption, "gke_min": carried.gke_min, **facts},
        cpu_arch=carried.cpu_arch,
        gke_min_known="gke_min" in facts or carried.gke_min_known,
        boot_disk_type=_data()["accelerators"][carried.name]["boot_disk_type"],
        price_usd_hour=price and _record(Price, {**_data()["price_sources"][price["source"]], **price}),
    )


def machine_types(accelerator: str | None = None) -> tuple[MachineType, ...]:
    """All machine types, or those with one accelerator. What attaches to N1 machines has an `n1-*` entry per count."""
    return tuple(m for m in _catalogue() if accelerator in (None, m.accelerator))


def machine_type(name: str) -> MachineType:
    """The machine type of that name; CatalogueError when it has no accelerators built in, as N1 machines have none."""
    for known in _catalogue():
        if known.name == name != N1:
            return known
    raise CatalogueError([("machineType", _no_machine_type(name, None))])


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
    carried = accelerator(machine.accelerator)
    kind = _data()["kinds"][carried.kind]
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


@cache
def _serving() -> tuple[str, ...]:
    return tuple(known.name for known in accelerators() if not known.refused)


def _carrying(name: str | None) -> list[MachineType]:
    """The entries of a machine type; of an N1 machine everything that can serve and can be attached to one."""
    if name is not None and _n1_size(name):
        return [m for m in _catalogue() if m.name == N1 and m.accelerator in _serving()]
    return [m for m in _catalogue() if m.name == name != N1]


def _offered(accelerator: str | None, machine_type: str | None) -> list[MachineType]:
    """What the two names leave to choose from. Where they contradict each other, the accelerator is what was meant."""
    carrying = _carrying(machine_type)
    if accelerator not in _serving():
        return carrying
    return [m for m in carrying if m.accelerator == accelerator] or list(machine_types(accelerator))


def _name_problems(accelerator: str | None, machine_type: str | None) -> Problems:
    carried = list(dict.fromkeys(m.accelerator for m in _carrying(machine_type)))
    problems: Problems = []
    if accelerator is not None and accelerator not in _serving():
        problems.append(("accelerator", _no_accelerator(accelerator)))
    elif accelerator is None and machine_type is None:
        problems.append(("accelerator", f"name an accelerator, a machineType or both; accelerators: {one_of(_serving())}"))
    elif accelerator is None and len(carried) > 1:
        problems.append(("accelerator", f"{machine_type} has no GPU of its own; name what to attach: {one_of(carried)}"))
    if machine_type is not None and not carried:
        problems.append(("machineType", _no_machine_type(machine_type, accelerator)))
    elif machine_type is not None and accelerator in _serving() and accelerator not in carried:
        carries = f"carries {carried[0]}, not" if len(carried) == 1 else "takes no"
        allowed = f"machine types of {accelerator}: {_written(machine_types(accelerator))}"
        problems.append(("machineType", f"{machine_type} {carries} {accelerator}; {allowed}"))
    return problems


def _no_accelerator(name: str) -> str:
    for known in accelerators():
        if known.name == name and known.refused:
            return f"{name} cannot serve: {known.refused}; allowed: {one_of(_serving())}"
    if reason := _data()["refused_accelerators"].get(name):
        return f"{name} is no accelerator of GKE: {reason}"
    return _unknown(f"{name} is no accelerator of GKE", nearest(name, _serving()), one_of(_serving()))


def _no_machine_type(name: str, accelerator: str | None) -> str:
    if reason := _data()["refused_machine_types"].get(name):
        return f"{name} cannot be used: {reason}"
    if _n1_size(name):
        return f"{name} has no GPU of its own, only what is attached to it"
    if accelerator not in _serving():
        names = [m.name for m in _catalogue() if m.name != N1] + _n1_names()
        families = dict.fromkeys("-".join(known.split("-")[:2]) + "-*" for known in names)
        return _unknown(f"{name} is no machine type with accelerators", nearest(name, names), one_of(families))
    choices = machine_types(accelerator)
    names = _n1_names() if choices[0].name == N1 else [m.name for m in choices]
    return _unknown(f"{name} is no machine type of {accelerator}", nearest(name, names), _written(choices))


def _unknown(sentence: str, hint: str, allowed: str) -> str:
    return f"{sentence}{hint} Allowed: {allowed}" if hint else f"{sentence}; allowed: {allowed}"


def _written(choices: Iterable[MachineType]) -> str:
    """Machine types as an operator may write them, once each."""
    names = dict.fromkeys(m.name for m in choices)
    if N1 not in names:
        return one_of(names)
    families = _data()["n1_families"]
    sizes = set.intersection(*(set(facts["vcpu"]) for facts in families.values()))
    return f"{', '.join(f'{name}-N' for name in families)} (N: {one_of(sorted(sizes))}) or n1-custom-VCPUS-MB"


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
    return [("machineType", f"{_subject(fitting)} comes in several machine types; write one: {_written(fitting)}")]


@cache
def _n1_names() -> list[str]:
    return [f"{family}-{vcpu}" for family, facts in _data()["n1_families"].items() for vcpu in facts["vcpu"]]


def _n1_size(name: str) -> tuple[int, float] | None:
    """(vCPUs, GB of RAM) of an N1 machine type, predefined or custom; None for any other name."""
    if custom := re.fullmatch(r"(?:n1-)?custom-([1-9]\d*)-([1-9]\d*)(?:-ext)?", name):
        return int(custom[1]), int(custom[2]) / 1024
    if name not in _n1_names():
        return None
    family, vcpu = name.rsplit("-", 1)
    return int(vcpu), int(vcpu) * _data()["n1_families"][family]["ram_gb_per_vcpu"]


def _n1_problems(name: str, fitting: list[MachineType]) -> Problems:
    size = _n1_size(name)
    if size is None or len(fitting) != 1 or fitting[0].name != N1:
        return []
    attached = fitting[0]
    if size[0] <= attached.vcpu and size[1] <= attached.ram_gb:
        return []
    limit = f"{attached.count} {attached.accelerator} allows at most {attached.vcpu} vCPUs and {attached.ram_gb} GB"
    return [("machineType", f"{name} has {size[0]} vCPUs and {size[1]:g} GB; {limit}")]
