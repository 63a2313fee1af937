"""Which moves are asked about: those that give a canary more weight, and 100 to `retire`; no others."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product

import pytest

from inference_rollouts import move
from inference_rollouts.limits import Limits
from inference_rollouts.raises import Raise, raised
from inference_rollouts.windows import Freeze
from tests.records import LADDER, override, record, resting, split, weights_at

PAIRS = list(product(LADDER, LADDER))


@pytest.mark.parametrize(("origin", "to"), PAIRS)
def test_a_raise_is_what_gives_the_canary_more_weight_and_retire_is_asked_beside_it(origin, to):
    gains = weights_at(to, "old", "new").get("new", 0) > weights_at(origin, "old", "new").get("new", 0)
    retires = (origin, to) == (100, "retire")
    resting_adapter = {"style": resting("s1")}

    pools = raised(record(split(origin), resting_adapter), record(split(to), resting_adapter))
    adapter = raised(record(resting(), {"tone": split(origin)}), record(resting(), {"tone": split(to)}))

    assert pools == Raise(gains, (), ("",) if retires else ())
    assert adapter == Raise(False, ("tone",) if gains else (), ("tone",) if retires else ())
    assert bool(pools) is bool(adapter) is (gains or retires)
    assert bool(pools.names) is bool(adapter.names) is gains
    assert adapter.touched == (("tone",) if gains or retires else ())


def test_what_is_created_or_removed_or_finished_is_no_raise():
    without, with_one = record(resting()), record(resting(), {"tone": split(50)})

    assert not raised(without, with_one)
    assert not raised(with_one, without)
    assert not raised(record(split("retire")), record(resting("new")))


def test_a_raise_that_an_override_allows_is_not_asked_about_and_one_that_left_a_spent_override_is():
    once = override(1, 50)

    assert not raised(record(split(1)), record(split(50, override=once)))
    assert raised(record(split(1, override=once)), record(split(10, override=once)))


def test_an_override_of_retire_is_not_asked_about_until_it_is_spent():
    once = override(100, "retire")

    assert not raised(record(split(100)), record(split("retire", override=once)))
    assert raised(record(split(100, override=once)), record(split("retire", override=once)))


def test_the_adapters_that_rise_are_named_in_order():
    adapters = {"tone": split(1, "t1", "t2"), "style": split(1, "s1", "s2")}

    both = raised(record(resting(), adapters), record(resting(), {name: split(10) for name in adapters}))

    assert both == Raise(False, ("style", "tone"))


def test_without_a_clock_no_freeze_window_is_judged():
    always = Limits(freeze=(Freeze("Mon", "Sun", "UTC", "for ever"),))
    old, new = record(split(1), limits=always), record(split(10), limits=always)

    assert move.judge("chat", old, new) == []
    assert move.judge("chat", old, new, datetime(2027, 1, 1, tzinfo=UTC)) != []


def test_a_freeze_window_holds_no_retire_back_since_no_weight_rises():
    always = Limits(freeze=(Freeze("Mon", "Sun", "UTC", "for ever"),))
    old, new = record(split(100), limits=always), record(split("retire"), limits=always)

    assert move.judge("chat", old, new, datetime(2027, 1, 1, tzinfo=UTC)) == []


def test_going_up_is_told_from_going_down():
    assert move.rises(split(10), split(25))
    assert move.rises(split(100), split("retire"))
    assert not move.rises(split(10), split(10))
    assert not move.rises(split("prepare"), split("baseline"))
