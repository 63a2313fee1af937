"""Deployed to wanted: allowed, or refused because … . Pure; the guard, the rehearsal and every report ask this.

The rules are those of the ladder (docs/ladder.md). All reasons are given at once, one sentence each. The way back, a fall
down to `prepare` or `retire` to `100`, asks nothing but that nothing else changes with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from inference_rollouts import limits, stages, wording
from inference_rollouts.manifests.node_pool import replaces
from inference_rollouts.raises import gains_weight, overridden, raised
from inference_rollouts.record import BACKEND, CREATED, FAILURE_MODE, PICKER, REPLICAS, Record, Split
from inference_rollouts.stages import Stage, ladder


def judge(service: str, old: Record, new: Record, now: datetime | None = None) -> list[str]:
    """Why a service may not move from what is deployed to what is wanted; empty when it may.

    Args:
        service: its name.
        old: the record of what is deployed.
        new: the record of what is wanted.
        now: the time, for freeze windows; None judges none.
    """
    reasons = judge_split(f"service {service}", old.pools, new.pools)
    reasons += _adapters(service, old, new)
    reasons += _sources(service, old, new)
    reasons += _versions(service, old, new)
    reasons += _door(service, old, new)
    reasons += _limits(service, old, new, now)
    return reasons


def judge_split(what: str, old: Split, new: Split) -> list[str]:
    """Why one split, of the pools or of an adapter, may not move; empty when it may."""
    if new.decommission and not _only_decommission(old, new):
        return [wording.decommission_alone(what, old.stage)]
    if old.to is None:
        reasons = _entering(what, old, new)
    elif new.to is None:
        reasons = _leaving(what, old, new, old.to)
    else:
        reasons = _going_on(what, old, new, old.to, new.to)
    return list(reasons) or list(_safe(what, old, new))


def _only_decommission(old: Split, new: Split) -> bool:
    """Whether nothing moves, or, once decommission is recorded, the weight only falls."""
    same = (old.serving, old.to, old.steps) == (new.serving, new.to, new.steps)
    return same and (old.stage == new.stage or (old.decommission and height(new.stage) < height(old.stage)))


def height(stage: Stage) -> int:
    """Where a stage stands on any ladder, to tell up from down."""
    return {"baseline": -1, "prepare": 0, "retire": 101}[stage] if isinstance(stage, str) else stage


def rises(old: Split, new: Split) -> bool:
    """Whether the move goes up the ladder."""
    return height(new.stage) > height(old.stage)


# --- the rollout and its ladder ---------------------------------------------------------------------------------------


def _entering(what: str, old: Split, new: Split) -> Iterator[str]:
    if new.serving != old.serving:
        yield wording.serving_changed(what, old.serving, new.serving, old.weights.get(new.serving, 0))
    if new.stage not in ("baseline", "prepare"):
        yield wording.entered_late(what, new.stage)


def _leaving(what: str, old: Split, new: Split, canary: str) -> Iterator[str]:
    if new.serving == old.serving:
        if old.stage != "baseline":
            yield wording.left_early(what, old.stage, old.serving, canary)
    elif new.serving == canary:
        if old.stage != "retire":
            yield wording.finished_early(what, old.stage, canary, old.weights.get(canary, 0))
    else:
        yield wording.serving_changed(what, old.serving, new.serving, old.weights.get(new.serving, 0))


def _going_on(what: str, old: Split, new: Split, canary: str, wanted: str) -> Iterator[str]:
    if new.serving != old.serving:
        yield wording.serving_during_rollout(what, old.serving, new.serving, canary, old.stage)
    if new.serving == canary:
        return  # `to` and the stage then belong to another rollout, as where the two versions are swapped
    aim = list(_aim(what, old, new, canary, wanted))
    yield from aim
    # With another aim the way there is another one: it is judged once that is deployed.
    if not aim and not overridden(old, new):
        yield from _along_the_ladder(what, old, new)


def _aim(what: str, old: Split, new: Split, canary: str, wanted: str) -> Iterator[str]:
    """`to` and `steps` change in an update of their own, `to` only while the canary has no weight."""
    if wanted != canary:
        if old.stage not in ("baseline", "prepare"):
            yield wording.to_changed(what, canary, wanted, old.stage)
        elif rises(old, new):
            yield wording.together_with_a_raise(what, "rollout.to", canary, wanted, old.stage)
    if new.steps != old.steps and rises(old, new):
        yield wording.together_with_a_raise(what, "rollout.steps", list(old.steps), list(new.steps), old.stage)


def _along_the_ladder(what: str, old: Split, new: Split) -> Iterator[str]:
    """Up one rung at a time, on the deployed ladder; down as far as `prepare` at once."""
    here, there, rungs = old.stage, new.stage, ladder(old.steps)
    hint = _override_hint(old, new)
    if rises(old, new):
        if here not in rungs:
            yield wording.deployed_off_ladder(what, here, old.steps) + hint
        elif there not in rungs:
            yield wording.not_on_deployed_ladder(what, here, there, old.steps)
        elif there != (following := rungs[rungs.index(here) + 1]):
            if there == "retire":
                yield wording.retire_early(what, here, old.serving, old.weights.get(old.serving, 0))
            else:
                yield wording.step_skipped(what, here, there, following) + hint
    elif here == "retire" and there not in ("retire", 100):
        yield wording.back_from_retire(what, there)
    elif there == "baseline" and here not in ("baseline", "prepare"):
        yield wording.baseline_with_weight(what, str(old.to), here, old.weights.get(str(old.to), 0))


def _override_hint(old: Split, new: Split) -> str:
    """Why an override in the file does not count here."""
    if new.override is None:
        return ""
    spent = new.override == old.override
    return wording.override_spent() if spent else wording.override_elsewhere(new.override.origin, new.override.to)


def _safe(what: str, old: Split, new: Split) -> Iterator[str]:
    """What no override may allow: weight for what does not stand yet, or the removal of what has weight."""
    wanted = stages.weights(new.stage, new.serving, new.to)
    if new.weights != wanted or sum(wanted.values()) != 100:
        yield wording.wrong_weights(what, new.stage, new.weights)
        return
    standing = {*old.weights, old.serving}
    for name, weight in new.weights.items():
        if weight and name not in standing:
            yield wording.weight_to_new(what, name, weight)
    for name, weight in old.weights.items():
        if weight and name not in new.weights:
            yield wording.removes_weight(what, name, weight, "prepare" if name == old.to else 100)


# --- adapters ---------------------------------------------------------------------------------------------------------


def _adapters(service: str, old: Record, new: Record) -> Iterator[str]:
    for name, split in sorted(old.adapters.items()):
        wanted = new.adapters.get(name)
        if wanted is not None:
            # A service that leaves takes its adapters with it.
            before = replace(split, decommission=split.decommission or old.pools.decommission)
            after = replace(wanted, decommission=wanted.decommission or new.pools.decommission)
            yield from judge_split(f"adapter {name} of service {service}", before, after)
        elif not split.decommission:
            yield wording.adapter_removed(service, name)


def _sources(service: str, old: Record, new: Record) -> Iterator[str]:
    changed: dict[tuple[str, str, str], list[str]] = {}
    for key, source in sorted(old.sources.items()):
        version, _, adapter = key.partition("/")
        if (wanted := new.sources.get(key, source)) != source:
            changed.setdefault((adapter, source, wanted), []).append(version)
    for (adapter, source, wanted), holders in changed.items():
        idle = all(_frozen_because(version, old.pools, new.pools) is None for version in holders)
        yield wording.source_changed(f"service {service}", adapter, source, wanted, holders[0] if idle else None)


def _limits(service: str, old: Record, new: Record, now: datetime | None) -> Iterator[str]:
    """What holds a raise back; a fall is never asked."""
    what = f"service {service}"
    if now and raised(old, new).names:
        yield from limits.frozen_now(what, old.limits, new.limits, now)
    if gains_weight(old.pools, new.pools):
        yield from limits.too_small(what, limits.strict(old.limits, new.limits), new.pools.serving, new.pools.weights)
    yield from limits.shrunk(what, old.limits, new.limits, old.pools.serving, _needs(old, new))


def _needs(old: Record, new: Record) -> dict[str, int]:
    """Percent that each version must go on being able to carry: its weight, and stable everything while a rollout is under way.

    At rest only a `peak` says what is needed: stable's pods are no measure of themselves.
    """
    needs = {name: max(old.pools.weights.get(name, 0), new.pools.weights.get(name, 0)) for name in new.versions}
    under_way = "baseline" not in (old.pools.stage, new.pools.stage)
    if under_way or new.limits.peak is not None or old.limits.peak is not None:
        needs[old.pools.serving] = 100
        return needs
    return {}


# --- what may not change ----------------------------------------------------------------------------------------------


def _versions(service: str, old: Record, new: Record) -> Iterator[str]:
    for name, before in sorted(old.versions.items()):
        after = new.versions.get(name)
        why = _frozen_because(name, old.pools, new.pools)
        if after is None or why is None:
            continue
        canary, in_place = name != new.pools.serving, name in new.in_place
        changed = changes(_frozen_fields(before), _frozen_fields(after))
        for_good = [text for path, text in changed.items() if _for_good(path)]
        rest = [text for path, text in changed.items() if not _for_good(path) and not in_place]
        if for_good or rest:
            yield wording.frozen(service, name, why, [*for_good, *rest], canary=canary, for_good=bool(for_good))
        if in_place:
            continue
        # A picker may change while its pool fails open, and a pool may begin or stop to fail closed; but not both at once, since
        # the gateway takes its time to act on the pool.
        closed = "FailClose" in (before.get(FAILURE_MODE), after.get(FAILURE_MODE))
        if closed and (changed := _of_the_picker(before, after)):
            yield wording.frozen_picker(service, name, why, list(changed.values()))
        if after.get(REPLICAS) is None and (before.get(REPLICAS) or 1) > 1:
            yield wording.handed_to_an_autoscaler(service, name, why)


def _frozen_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    return _without(fields, PICKER, FAILURE_MODE, REPLICAS, BACKEND)


def _of_the_picker(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, str]:
    """Changes of a picker; none where it is new, or was not recorded."""
    old, new = before.get(PICKER), after.get(PICKER)
    return changes(old, new, PICKER) if old and new else {}


def _without(fields: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key not in keys}


def _frozen_because(name: str, old: Split, new: Split) -> str | None:
    if weight := old.weights.get(name, 0):
        return wording.carries(weight)
    if weight := new.weights.get(name, 0):
        return wording.will_carry(weight)
    return wording.stands_for_a_rollback() if name == old.serving else None


def _for_good(path: str) -> bool:
    """Whether a change replaces or removes something, so that even allowInPlaceUpdates cannot allow it."""
    section, _, field = path.partition(".")
    return section in ("pool", "external") or (section == "nodePool" and (not field or replaces(field)))


def changes(before: Any, after: Any, path: str = "") -> dict[str, str]:
    """Changed leaves by path, each as `path: old → new`."""
    if before == after:
        return {}
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        keys = sorted({*before, *after})
        pairs = [(f"{path}.{key}" if path else key, before.get(key), after.get(key)) for key in keys]
    elif isinstance(before, list) and isinstance(after, list):
        size = max(len(before), len(after))
        rows = [x + [None] * (size - len(x)) for x in (before, after)]
        pairs = [(f"{path}[{_label(b, a, i)}]", b, a) for i, (b, a) in enumerate(zip(*rows, strict=True))]
    else:
        return {path: f"{path}: {_short(before)} → {_short(after)}"}
    return {key: text for place, b, a in pairs for key, text in changes(b, a, place).items()}


def _label(before: Any, after: Any, index: int) -> str:
    """A named list item by its name: `containers[server]`."""
    names = [item.get("name") for item in (before, after) if isinstance(item, Mapping)]
    alike = all(name == names[0] for name in names)
    return names[0] if names and alike and isinstance(names[0], str) else str(index)


def _short(value: Any) -> str:
    text = "nothing" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _door(service: str, old: Record, new: Record) -> Iterator[str]:
    changed = changes(_without(old.door, CREATED), _without(new.door, CREATED))
    if changed:
        yield wording.door_changed(service, changed.values())
    created, wanted = old.door.get(CREATED), new.door.get(CREATED)
    # A Gateway that is taken over, or out, is nothing new to clients; the engine protects one that would be deleted.
    if created and wanted:
        added = {f"listeners.{name}" for name in wanted["listeners"].keys() - created["listeners"].keys()}
        changed = {path: text for path, text in changes(created, wanted).items() if path not in added}
        if changed:
            yield wording.gateway_changed(service, changed.values())
