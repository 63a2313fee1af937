"""Nodes of the versions that stand, and what the second one costs while both do.

By the prices of the stack file, else by the catalogue's list prices; never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from inference_rollouts.accelerators import Price as Listed
from inference_rollouts.plan import Plan
from inference_rollouts.plan.versions import shape_of
from inference_rollouts.settings import Price, Stack, Version


@dataclass(frozen=True)
class Nodes:
    """The nodes of one version.

    Attributes:
        service, version: whose they are.
        machine_type, accelerator: of each node.
        per_node: accelerators of a node.
        least: nodes that its pods need: one a pod, unless `server.resources` lets several share one.
        most: the node pool's limit; None where the nodes exist already and are no pool of ours.
        price: US dollars per node and hour; None where neither the file nor the catalogue has one.
        bought: on-demand or spot.
        given: whether the stack file gives the price.
        priced: day (ISO) and region of the price list, each None where its source does not say.
    """

    service: str
    version: str
    machine_type: str
    accelerator: str
    per_node: int
    least: int
    most: int | None
    price: float | None
    bought: str
    given: bool
    priced: tuple[str | None, str | None]

    @property
    def least_cost(self) -> float | None:
        """US dollars per hour of the nodes that its pods need."""
        return None if self.price is None else self.price * self.least

    @property
    def most_cost(self) -> float | None:
        """US dollars per hour of the node pool at its limit."""
        return None if self.price is None or self.most is None else self.price * self.most

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values; costs in US dollars per hour."""
        return {
            "service": self.service,
            "version": self.version,
            "machineType": self.machine_type,
            "accelerator": self.accelerator,
            "acceleratorsPerNode": self.per_node,
            "nodes": self.least,
            "maxNodes": self.most,
            "usdHour": _cents(self.least_cost),
            "maxUsdHour": _cents(self.most_cost),
            "bought": self.bought,
            "priceFrom": None if self.price is None else "prices" if self.given else "list",
            "priceDate": self.priced[0],
            "priceRegion": self.priced[1],
        }


def _cents(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def nodes_of(stack: Stack, plan: Plan) -> list[Nodes]:
    """The nodes of every version that stands, where the catalogue knows them."""
    return [
        found
        for service in plan.services
        for version in service.versions
        if (found := _nodes(stack, service.name, version.name, version.nodes)) is not None
    ]


def _nodes(stack: Stack, service: str, version: str, pool: Any) -> Nodes | None:
    settings = stack.services[service].versions[version]
    shape = shape_of(settings) if settings.external is None else None
    if shape is None:
        return None
    spot = bool(settings.nodes and settings.nodes.spot)
    own, listed = _bought(stack.prices.get(shape.machine_type), spot), shape.machine.price_usd_hour
    price = own if own is not None else _bought(listed, spot)
    by_list = listed if own is None and price is not None else None
    return Nodes(
        service=service,
        version=version,
        machine_type=shape.machine_type,
        accelerator=shape.accelerator,
        per_node=shape.count,
        least=_least(settings, pool),
        most=pool.max_nodes if pool else None,
        price=price,
        bought="spot" if spot else "on-demand",
        given=own is not None,
        priced=(by_list.date, by_list.region) if by_list else (None, None),
    )


def _bought(price: Price | Listed | None, spot: bool) -> float | None:
    return None if price is None else price.spot if spot else price.on_demand


def _least(version: Version, pool: Any) -> int:
    server = version.server
    pods = (server.autoscaling.min if server.autoscaling else server.replicas) if server else 1
    needed = 1 if server and server.resources else pods
    return max(needed, pool.min_nodes) if pool else needed


def surge(stack: Stack, plan: Plan) -> list[Nodes]:
    """The nodes of the second version of each service, while both stand: the canary's, and from `retire` on stable's."""
    found = []
    for service in plan.services:
        split = service.record.pools
        if len(service.versions) > 1:
            extra = split.serving if split.stage == "retire" else split.to
            found += [nodes for nodes in nodes_of(stack, plan) if (nodes.service, nodes.version) == (service.name, extra)]
    return found


def added(before: list[Nodes], after: list[Nodes]) -> list[Nodes]:
    """The node pools that are new."""
    known = {(nodes.service, nodes.version) for nodes in before}
    return [nodes for nodes in after if nodes.most is not None and (nodes.service, nodes.version) not in known]
