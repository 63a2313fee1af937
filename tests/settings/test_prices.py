"""`prices`: what may be written, and the sentence where it may not."""

from __future__ import annotations

from typing import Any

import pytest

from inference_rollouts.errors import InputError
from inference_rollouts.settings import Price, load

CONFIG: dict[str, Any] = {
    "cluster": {"name": "c", "location": "us-central1"},
    "gateway": {"name": "g"},
    "services": {"llm": {"serving": "llm", "versions": {"llm": {"external": {"pool": "llm"}}}}},
}


def loaded(prices: Any) -> dict[str, Price]:
    return load({**CONFIG, "prices": prices}).prices


def test_without_prices_there_are_none():
    assert load(CONFIG).prices == {}


def test_a_number_is_the_price_however_a_node_is_bought_and_a_map_says_how():
    found = loaded({"g2-standard-12": 1, "g4-standard-48": {"onDemand": 3.5}, "n1-standard-8": {"spot": 0, "onDemand": 0.5}})
    assert found == {
        "g2-standard-12": Price.model_validate({"onDemand": 1, "spot": 1}),
        "g4-standard-48": Price.model_validate({"onDemand": 3.5}),
        "n1-standard-8": Price.model_validate({"onDemand": 0.5, "spot": 0}),
    }


NO_PRICE = "is no price: a number of US dollars per node and hour, 0 to 1000000, as 3.50, or {onDemand: 3.50, spot: 1.40}"


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        (3, "prices: 3 is given, a map is wanted: machine type to US dollars per node and hour"),
        ({"g2-standard-12": "1.5"}, f"prices.g2-standard-12: '1.5' {NO_PRICE}"),
        ({"g2-standard-12": True}, f"prices.g2-standard-12: true {NO_PRICE}"),
        ({"g2-standard-12": -1}, f"prices.g2-standard-12: -1 {NO_PRICE}"),
        ({"g2-standard-12": float("nan")}, f"prices.g2-standard-12: nan {NO_PRICE}"),
        ({"g2-standard-12": {}}, "prices.g2-standard-12: holds no price; write onDemand, spot or both"),
        ({"g2-standard-12": {"ondemand": 1}}, "prices.g2-standard-12.ondemand: is no key here; did you mean onDemand?"),
        ({"g2-standard-12": {"spot": -1}}, "prices.g2-standard-12.spot: -1 is too small; the least is 0"),
        ({"g2-standard-13": 1}, "prices.g2-standard-13: g2-standard-13 is no machine type with accelerators; did you mean"),
        ({"e2-standard-8": 1}, "prices.e2-standard-8: e2-standard-8 is no machine type with accelerators"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(prices: Any, said: str):
    with pytest.raises(InputError) as e:
        loaded(prices)
    (problem,) = e.value.problems
    assert str(problem).startswith(said)
