"""What nodes really cost, where the catalogue's list prices are not what is paid. Previews show it, and nothing else uses it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from inference_rollouts.accelerators import CatalogueError, check_machine_type
from inference_rollouts.errors import shown
from inference_rollouts.settings.base import Settings
from inference_rollouts.settings.parse import parsed
from inference_rollouts.settings.report import Report

MOST = 1_000_000
"""US dollars per hour: no node costs so much; cents or yen may have been meant."""

Usd = Annotated[float, Field(ge=0, le=MOST, allow_inf_nan=False)]


class Price(Settings):
    """US dollars per node and hour, by how the node is bought."""

    on_demand: Usd | None = None
    """On demand, or reserved."""
    spot: Usd | None = None
    """As a spot node."""


def _or_a_number(schema: dict[str, Any]) -> None:
    number = {"type": "number", "minimum": 0, "maximum": MOST}
    schema["additionalProperties"] = {"anyOf": [number, schema["additionalProperties"]]}


Prices = Annotated[dict[str, Price], Field(json_schema_extra=_or_a_number)]
"""By machine type; a number stands for a node however it is bought."""


def prices_of(raw: Any, report: Report) -> dict[str, Price]:
    """Prices by machine type: a number for a node however it is bought, or a map by how.

    Args:
        raw: what is written under `prices`, cleaned.
        report: gets the problems.
    """
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        report.say(f"{shown(raw)} is given, a map is wanted: machine type to US dollars per node and hour", "prices")
        return {}
    found = {name: _price(name, value, report) for name, value in raw.items()}
    return {name: price for name, price in found.items() if price}


def _price(name: str, value: Any, report: Report) -> Price | None:
    try:
        check_machine_type(name)
    except CatalogueError as e:
        report.say(e.problems[0][1], "prices", name)
        return None
    if isinstance(value, Mapping):
        price = parsed(Price, value, ("prices", name), report)
        if price and price.on_demand is None and price.spot is None and not report.touches("prices", name):
            report.say("holds no price; write onDemand, spot or both", "prices", name)
        return price
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= MOST:
        return Price.model_validate({"onDemand": value, "spot": value})
    text = f"{shown(value)} is no price: a number of US dollars per node and hour, 0 to {MOST}"
    report.say(f"{text}, as 3.50, or {{onDemand: 3.50, spot: 1.40}}", "prices", name)
    return None
