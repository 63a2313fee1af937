"""The catalogue (`data/accelerators.json`): what is in it, and what to say of a name that is not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from inference_rollouts.accelerators.facts import Accelerator, MachineType, Price, Quota
from inference_rollouts.errors import nearest, one_of

Field = Literal["accelerator", "machineType", "count", "topology", "spot", "reservation"]
Record = TypeVar("Record")

N1 = "n1-*"
"""The name under which the catalogue holds what can be attached to an N1 machine, one entry per count."""


class CatalogueError(Exception):
    """What was asked for is not to be had on GKE. Holds every problem as (field, sentence), never only the first."""

    def __init__(self, problems: Iterable[tuple[Field, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{field}: {sentence}" for field, sentence in self.problems))


@cache
def data() -> dict[str, Any]:
    """The catalogue as it is written."""
    return json.loads(Path(__file__).parents[1].joinpath("data", "accelerators.json").read_text(encoding="utf-8"))


def data_as_of() -> str:
    """The month of the newest source, as YYYY-MM."""
    return data()["data_as_of"]


def sources() -> Mapping[str, str]:
    """What each source key stands for."""
    return data()["sources"]


def _record(cls: type[Record], facts: Mapping[str, Any], **derived: Any) -> Record:
    """A dataclass from the facts that bear its fields' names, lists as tuples, and from what is derived."""
    names = cls.__annotations__.keys() - derived.keys()
    plain = {name: tuple(fact) if isinstance(fact, list) else fact for name, fact in facts.items() if name in names}
    return cls(**plain, **derived)


@cache
def accelerators() -> tuple[Accelerator, ...]:
    """Every accelerator of the catalogue, those that cannot serve too."""
    carriers: dict[str, dict[str, None]] = {}
    for entry in [*data()["machine_types"], *data()["n1_attachable"]]:
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
        for name, facts in data()["accelerators"].items()
    )


def accelerator(name: str) -> Accelerator:
    """The accelerator of that name; CatalogueError when GKE has none."""
    for known in accelerators():
        if known.name == name:
            return known
    raise CatalogueError([("accelerator", no_accelerator(name))])


@cache
def catalogue() -> tuple[MachineType, ...]:
    """Every machine type, and an `n1-*` entry for each count that can be attached."""
    return tuple(_machine_type(facts) for facts in [*data()["machine_types"], *data()["n1_attachable"]])


def _machine_type(facts: dict[str, Any]) -> MachineType:
    carried = accelerator(facts["accelerator"])
    price = facts.get("price_usd_hour")
    return _record(
        MachineType,
        {"name": N1, "consumption": carried.consumption, "gke_min": carried.gke_min, **facts},
        cpu_arch=carried.cpu_arch,
        gke_min_known="gke_min" in facts or carried.gke_min_known,
        boot_disk_type=data()["accelerators"][carried.name]["boot_disk_type"],
        price_usd_hour=price and _record(Price, {**data()["price_sources"][price["source"]], **price}),
    )


def machine_types(accelerator: str | None = None) -> tuple[MachineType, ...]:
    """All machine types, or those with one accelerator. What attaches to N1 machines has an `n1-*` entry per count."""
    return tuple(m for m in catalogue() if accelerator in (None, m.accelerator))


def machine_type(name: str) -> MachineType:
    """The machine type of that name; CatalogueError when it has no accelerators built in, as N1 machines have none."""
    for known in catalogue():
        if known.name == name != N1:
            return known
    raise CatalogueError([("machineType", no_machine_type(name, None))])


def check_machine_type(name: str) -> None:
    """CatalogueError when no version can be on nodes of that machine type; an N1 machine can, with what is attached to it."""
    if not n1_size(name):
        machine_type(name)


@cache
def serving() -> tuple[str, ...]:
    """Names of the accelerators that can serve."""
    return tuple(known.name for known in accelerators() if not known.refused)


def no_accelerator(name: str) -> str:
    """What to say of an accelerator that GKE has not, or that cannot serve."""
    for known in accelerators():
        if known.name == name and known.refused:
            return f"{name} cannot serve: {known.refused}; allowed: {one_of(serving())}"
    if reason := data()["refused_accelerators"].get(name):
        return f"{name} is no accelerator of GKE: {reason}"
    return _unknown(f"{name} is no accelerator of GKE", nearest(name, serving()), one_of(serving()))


def no_machine_type(name: str, accelerator: str | None) -> str:
    """What to say of a machine type that cannot be had, or not with this accelerator."""
    if reason := data()["refused_machine_types"].get(name):
        return f"{name} cannot be used: {reason}"
    if n1_size(name):
        return f"{name} has no GPU of its own, only what is attached to it"
    if accelerator not in serving():
        names = [m.name for m in catalogue() if m.name != N1] + _n1_names()
        families = dict.fromkeys("-".join(known.split("-")[:2]) + "-*" for known in names)
        return _unknown(f"{name} is no machine type with accelerators", nearest(name, names), one_of(families))
    choices = machine_types(accelerator)
    names = _n1_names() if choices[0].name == N1 else [m.name for m in choices]
    return _unknown(f"{name} is no machine type of {accelerator}", nearest(name, names), written(choices))


def _unknown(sentence: str, hint: str, allowed: str) -> str:
    return f"{sentence}{hint} Allowed: {allowed}" if hint else f"{sentence}; allowed: {allowed}"


def written(choices: Iterable[MachineType]) -> str:
    """Machine types as an operator may write them, once each."""
    names = dict.fromkeys(m.name for m in choices)
    if N1 not in names:
        return one_of(names)
    families = data()["n1_families"]
    sizes = set.intersection(*(set(facts["vcpu"]) for facts in families.values()))
    return f"{', '.join(f'{name}-N' for name in families)} (N: {one_of(sorted(sizes))}) or n1-custom-VCPUS-MB"


@cache
def _n1_names() -> list[str]:
    return [f"{family}-{vcpu}" for family, facts in data()["n1_families"].items() for vcpu in facts["vcpu"]]


def n1_size(name: str) -> tuple[int, float] | None:
    """(vCPUs, GB of RAM) of an N1 machine type, predefined or custom; None for any other name."""
    if custom := re.fullmatch(r"(?:n1-)?custom-([1-9]\d*)-([1-9]\d*)(?:-ext)?", name):
        return int(custom[1]), int(custom[2]) / 1024
    if name not in _n1_names():
        return None
    family, vcpu = name.rsplit("-", 1)
    return int(vcpu), int(vcpu) * data()["n1_families"][family]["ram_gb_per_vcpu"]
