"""`rollout accelerators`: the catalogue as a table to choose from, and as rows for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from inference_rollouts.accelerators import (
    N1,
    Accelerator,
    MachineType,
    accelerators,
    data_as_of,
    machine_types,
    sources,
)
from inference_rollouts.errors import named, nearest, one_of

Row = dict[str, Any]

OPTIONS = ("on-demand", "spot", "flex-start", "reservation")
"""GKE's consumption options."""


def rows(pattern: str | None) -> list[Row]:
    """One row per machine type, in the catalogue's order; n1-* stands for any N1 machine type, one row per count.

    Memory is in GB and prices are US dollars per node and hour; null is what no source tells.

    Args:
        pattern: part of an accelerator's or machine type's name in any case, or a shell pattern; None means all.
    """
    return [
        _row(accelerator, machine)
        for accelerator in accelerators()
        for machine in machine_types(accelerator.name)
        if _matches(pattern, accelerator.name, accelerator.title, machine.name)
    ]


def nothing_found(pattern: str) -> str:
    """The sentence for a pattern that nothing matches, with the nearest right word."""
    known = dict.fromkeys(name for a in accelerators() for name in (a.name, *(m.name for m in machine_types(a.name))))
    return f"no accelerator or machine type matches {named(pattern)}{nearest(pattern, known)}"


def _matches(pattern: str | None, *names: str) -> bool:
    if pattern is None:
        return True
    wild = pattern if set(pattern) & set("*?[") else f"*{pattern}*"
    return any(fnmatchcase(name.lower(), wild.lower()) for name in names)


def _row(accelerator: Accelerator, machine: MachineType) -> Row:
    return {
        "accelerator": accelerator.name,
        "machineType": machine.name,
        "count": machine.count,
        "memoryGbPerAccelerator": round(machine.memory_gb_total / machine.count),
        "memoryGbTotal": machine.memory_gb_total,
        "vcpu": machine.vcpu,
        "cpuArch": machine.cpu_arch,
        "topologies": list(machine.topologies),
        "consumption": list(machine.consumption),
        "refused": accelerator.refused,
        "gkeMin": list(machine.gke_min) if machine.gke_min_known else None,
        **_prices(machine),
        "note": machine.note,
    }


def _prices(machine: MachineType) -> Row:
    price = machine.price_usd_hour
    # For reserved nodes the on-demand price is the nearest there is; spot or flex-start alone never cost it.
    listed = not {"on-demand", "reservation"}.isdisjoint(machine.consumption)
    on_demand, spot = (price.on_demand if listed else None, price.spot) if price else (None, None)
    if on_demand is None and spot is None:
        price = None
    return {
        "onDemandUsdHour": on_demand,
        "spotUsdHour": spot,
        "priceDate": price and price.date,
        "priceRegion": price and price.region,
        "priceSource": price and price.source,
    }


def render(rows: list[Row], console: Console) -> None:
    """Print the rows as a table, with the date and the sources of the data below; a row is one line, never wrapped."""
    table = _table(rows)
    endless = console.options.update(width=1000)
    if console.is_terminal and Measurement.get(console, endless, table).maximum <= console.width:
        console.print(table)
    else:
        for line in "".join(segment.text for segment in console.render(table, endless)).splitlines():
            console.print(line.rstrip(), soft_wrap=True, highlight=False, markup=False)
    for line in _footnotes(rows):
        console.print(line, soft_wrap=not console.is_terminal, highlight=False, markup=False)


def _table(rows: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    numbers = ("count", "GB each", "GB", "vCPU", "USD/h", "spot USD/h")
    for heading in ("accelerator", "machine type", *numbers[:4], "consumption", "GKE from", *numbers[4:], "price of"):
        table.add_column(heading, justify="right" if heading in numbers else "left")
    for row in rows:
        table.add_row(*_cells(row))
    return table


def _cells(row: Row) -> list[str]:
    floors = row["gkeMin"]
    return [
        row["accelerator"],
        row["machineType"],
        *(str(row[key]) for key in ("count", "memoryGbPerAccelerator", "memoryGbTotal")),
        f"up to {row['vcpu']}" if row["machineType"] == N1 else str(row["vcpu"]),
        _consumption(row),
        "unknown" if floors is None else ", ".join(floors) or "any",
        *("-" if row[key] is None else f"{row[key]:.2f}" for key in ("onDemandUsdHour", "spotUsdHour")),
        "-" if row["priceSource"] is None else row["priceDate"] or "undated",
    ]


def _consumption(row: Row) -> str:
    if row["refused"]:
        return "not for serving"
    return "any" if len(row["consumption"]) == len(OPTIONS) else ", ".join(row["consumption"])


def _footnotes(rows: list[Row]) -> Iterable[str]:
    for note, names in _by([row for row in rows if not row["refused"]], "note", "machineType").items():
        yield f"{', '.join(names)}: {note}"
    for reason, names in _by(rows, "refused", "accelerator").items():
        yield f"{', '.join(names)} cannot serve: {reason}"
    if any(_consumption(row) == "any" for row in rows):
        yield f"consumption any: {one_of(OPTIONS)}"
    priced = _by(rows, "priceSource", "machineType")
    yield f"Data as of {data_as_of()}. " + ("List prices per node and hour, from:" if priced else "No prices found.")
    for source in priced:
        where = _regions([row for row in rows if row["priceSource"] == source])
        yield f"  {sources()[source]}{f' ({where})' if where else ''}"


def _regions(rows: list[Row]) -> str:
    """Where prices hold: the region of most of them, then the others with their machine types."""
    by_region = sorted(_by(rows, "priceRegion", "machineType").items(), key=lambda item: -len(item[1]))
    rest = [f"{region} for {', '.join(names)}" for region, names in by_region[1:]]
    return "; ".join([*(region for region, _ in by_region[:1]), *rest])


def _by(rows: Iterable[Mapping[str, Any]], key: str, name: str) -> dict[str, list[str]]:
    """Names, once each, by what they have under the key; without those that have nothing there."""
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        if row[key] is not None:
            found.setdefault(row[key], {})[row[name]] = None
    return {value: list(names) for value, names in found.items()}
