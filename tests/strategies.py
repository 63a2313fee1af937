"""Hypothesis strategies: any split as the plan makes it, and records that might be wanted after others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from inference_rollouts.record import Override, Record, Split
from inference_rollouts.stages import Stage
from tests.records import record, weights_at

steps = st.sets(st.integers(1, 99), max_size=4).map(lambda some: (*sorted(some), 100))
NAMED: list[Stage] = ["baseline", "prepare", 100, "retire"]
stages: st.SearchStrategy[Stage] = st.sampled_from(NAMED) | st.integers(1, 100)
names = st.sampled_from(("a", "b", "c"))


@st.composite
def overrides(draw) -> Override:
    return Override(draw(stages), draw(stages), draw(st.sampled_from(["r", "s"])), "ada")


@st.composite
def splits(draw, *, on_a_rung: bool = False) -> Split:
    """A split as the plan makes it, a rollout or none."""
    stable = draw(names)
    decommission = draw(st.booleans())
    if draw(st.integers(0, 3)) == 0:
        return Split(serving=stable, weights={stable: 100}, decommission=decommission)
    canary = draw(names.filter(lambda name: name != stable))
    rungs = draw(steps)
    stage = draw(st.sampled_from(("baseline", "prepare", *rungs, "retire")) if on_a_rung else stages)
    return Split(
        serving=stable,
        to=canary,
        steps=rungs,
        stage=stage,
        weights=weights_at(stage, stable, canary),
        override=draw(st.none() | overrides()),
        decommission=decommission,
    )


@st.composite
def nearby(draw, old: Split) -> Split:
    """Another split, made of this one by none to three changes."""
    fields: dict[str, Any] = {
        name: getattr(old, name) for name in ("serving", "to", "steps", "stage", "override", "decommission")
    }
    for change in draw(st.lists(st.sampled_from(sorted(CHANGES)), max_size=3)):
        fields |= draw(CHANGES[change](old))
    if draw(st.integers(0, 9)) == 0:
        return Split(weights=draw(st.dictionaries(names, st.integers(0, 100))), **fields)
    if fields["to"] is None:
        return Split(serving=fields["serving"], weights={fields["serving"]: 100}, decommission=fields["decommission"])
    return Split(weights=weights_at(fields["stage"], fields["serving"], fields["to"]), **fields)


def _fixed(**fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.just(fields)


CHANGES: dict[str, Any] = {
    "stage": lambda _: st.fixed_dictionaries({"stage": stages}),
    "rung": lambda old: st.fixed_dictionaries({"stage": st.sampled_from(("baseline", "prepare", *old.steps, 100, "retire"))}),
    "steps": lambda _: st.fixed_dictionaries({"steps": steps}),
    "to": lambda _: st.fixed_dictionaries({"to": names}),
    "serving": lambda _: st.fixed_dictionaries({"serving": names}),
    "swap": lambda old: _fixed(serving=old.to or old.serving, to=old.serving),
    "leave": lambda _: _fixed(to=None, steps=(), stage="baseline", override=None),
    "finish": lambda old: _fixed(serving=old.to or old.serving, to=None, steps=(), stage="baseline", override=None),
    "enter": lambda old: st.fixed_dictionaries({"to": names, "steps": steps, "stage": stages}),
    "override": lambda _: st.fixed_dictionaries({"override": overrides()}),
    "allow": lambda old: stages.map(lambda there: {"stage": there, "override": Override(old.stage, there, "now", "ada")}),
    "decommission": lambda _: st.fixed_dictionaries({"decommission": st.booleans()}),
}


@st.composite
def pairs(draw) -> tuple[Record, Record]:
    """A record, and one that might be wanted after it."""
    pools, adapter = draw(splits()), draw(st.none() | splits())
    old = record(pools, {"tone": adapter} if adapter else {}, in_place=tuple(draw(st.sets(names))))
    wanted = draw(nearby(pools))
    also = draw(st.none() | nearby(adapter)) if adapter else draw(st.none() | splits())
    new = record(wanted, {"tone": also} if also else {}, in_place=tuple(draw(st.sets(names))))
    for name in draw(st.sets(names, max_size=1)):
        part = draw(st.sampled_from(["podTemplate", "pool", "external"]))
        new = replace(new, versions={**new.versions, name: {**new.versions.get(name, {}), part: "other"}})
    if draw(st.integers(0, 9)) == 0:
        new = replace(new, door={**new.door, draw(st.sampled_from(sorted(new.door))): "other"})
    if draw(st.integers(0, 9)) == 0:
        new = replace(new, sources=dict.fromkeys(new.sources, "gs://other"))
    return old, new
