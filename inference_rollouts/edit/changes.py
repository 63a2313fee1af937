"""What a change of a stack file moves: each split before and after, and one sentence about it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from inference_rollouts.edit.meaning import Place
from inference_rollouts.move import rises
from inference_rollouts.plan import Plan
from inference_rollouts.record import Split
from inference_rollouts.settings import Stack
from inference_rollouts.settings.kind import pool_kind


@dataclass(frozen=True)
class Change:
    """One split, of a service's pools or of an adapter, before and after.

    Attributes:
        place: whose split it is.
        kind: of the rollout that is or was under way: node, base-model or adapter; None without one.
        before, after: None where there is none.
    """

    place: Place
    kind: str | None
    before: Split | None
    after: Split | None

    @property
    def moved(self) -> bool:
        """Whether anything about it changes."""
        return self.before != self.after

    @property
    def what(self) -> str:
        """As a person says it."""
        return f"service {self.place.service}" if self.place.adapter is None else f"adapter {self.place}"

    @property
    def names(self) -> tuple[str, ...]:
        """The versions that stand before or after, stable first."""
        sides = [split for split in (self.before, self.after) if split]
        return tuple(dict.fromkeys(name for split in sides for name in (split.serving, *split.weights)))

    def share(self, name: str, *, after: bool) -> str:
        """What a version has before or after, in a word: its percent, `idle`, or after it is gone `gone`."""
        split = self.after if after else self.before
        if split and name in split.weights:
            return f"{split.weights[name]} %"
        if split and name == split.serving:
            return "idle"
        return "gone" if after and self.before and name in (self.before.serving, *self.before.weights) else ""

    @property
    def finishes(self) -> bool:
        """Whether the rollout is finished."""
        b, a = self.before, self.after
        return bool(b and a and a.to is None and b.to == a.serving and b.serving != a.serving)

    @property
    def sentence(self) -> str:
        """What happens, in one sentence."""
        before, after = self.before, self.after
        if before is None or after is None:
            return _whole(self.what, after)
        if before.serving != after.serving:
            gone = "is deleted" if self.place.adapter is None else "is unloaded"
            return f"{self.what} is finished: {after.serving} serves alone, and {before.serving} {gone}"
        if before.to is None and after.to is not None:
            return _entered(self, after)
        if before.to is not None and after.to is None:
            return f"{self.what}: the rollout to {before.to} leaves the file; {after.serving} serves alone"
        if before.stage != after.stage:
            return _moved(self, before, after)
        return _otherwise(self.what, before, after)

    @property
    def way_back(self) -> str | None:
        """How to undo it; None where nothing has moved."""
        before, after = self.before, self.after
        if after is None or before is None or not self.moved:
            return None
        if self.finishes:
            return f"none in one step: {before.serving} is gone, and going back to it is a rollout of its own"
        if after.to is None:
            return None
        if after.stage in ("baseline", "prepare"):
            return None if after.stage == "baseline" else "stage: baseline, which takes the new version down again"
        if after.stage == "retire":
            return "stage: 100, and from there stage: prepare; never refused"
        return f"stage: prepare, which gives {after.serving} all the traffic; never refused"


def _whole(what: str, after: Split | None) -> str:
    if after is None:
        return f"{what} is taken away"
    shares = " and ".join(f"{name} {weight} %" for name, weight in after.weights.items())
    return f"{what} is new: of its traffic {shares}"


def _entered(change: Change, after: Split) -> str:
    if after.stage == "baseline":
        return f"{change.what}: a rollout to {after.to} enters the file, at baseline; nothing is built yet"
    built = "is built" if change.place.adapter is None else "is loaded"
    return f"{change.what} starts a rollout from {after.serving} to {after.to}, which {built} at weight 0"


def _moved(change: Change, before: Split, after: Split) -> str:
    stable, canary, weight = after.serving, after.to, after.weights.get(str(after.to), 0)
    stands = "stands" if change.place.adapter is None else "stays loaded"
    if rises(before, after):
        moved = f"{change.what} goes up from {before.stage} to {after.stage}"
        if after.stage == "prepare":
            return _entered(change, after)
        if after.stage == "retire":
            return f"{moved}: {stable} leaves the split and still {stands}, idle, until the finish"
        if weight == 100:
            return f"{moved}: {canary} gets all the traffic, and {stable} stays at weight 0 for the way back"
        return f"{moved}: {canary} gets {weight} % of the traffic, {stable} keeps {100 - weight} %"
    moved = f"{change.what} goes back from {before.stage} to {after.stage}"
    if after.stage == "baseline":
        return f"{moved}: {stable} serves alone, and {canary} {'is deleted' if change.place.adapter is None else 'is unloaded'}"
    if after.stage == "prepare":
        return f"{moved}: {stable} has all the traffic again, and {canary} {stands} at weight 0"
    if weight == 100:
        return f"{moved}: {stable} is in the split again, at weight 0"
    return f"{moved}: {canary} keeps {weight} % of the traffic, {stable} gets {100 - weight} %"


def _otherwise(what: str, before: Split, after: Split) -> str:
    if before.decommission != after.decommission:
        return f"{what}: decommission is {'set: its protection is lifted' if after.decommission else 'taken back'}"
    pairs = {"to": (before.to, after.to), "steps": (list(before.steps), list(after.steps))}
    changed = [f"{key} changes from {old} to {new}" for key, (old, new) in pairs.items() if old != new]
    return f"{what}: {' and '.join(changed) or 'the override changes'}; no traffic moves"


def changes(before: tuple[Stack, Plan] | None, after: tuple[Stack, Plan] | None) -> list[Change]:
    """Every split that is there before or after, also those that stay, services in order, each with its adapters."""
    old, new = (_splits(side[1]) if side else {} for side in (before, after))
    places = sorted({**old, **new}, key=lambda place: (place.service, place.adapter or ""))
    return [Change(place, _kind(place, before, after), old.get(place), new.get(place)) for place in places]


def _splits(plan: Plan) -> Mapping[Place, Split]:
    found = {}
    for service in plan.services:
        found[Place(service.name)] = service.record.pools
        found |= {Place(service.name, name): split for name, split in service.record.adapters.items()}
    return found


def _kind(place: Place, *sides: tuple[Stack, Plan] | None) -> str | None:
    """The kind of the rollout after, else of the one before."""
    for side in reversed(sides):
        service = side[0].services.get(place.service) if side else None
        if service and place.adapter is not None:
            adapter = service.adapters.get(place.adapter)
            if adapter and adapter.rollout:
                return "adapter"
        elif service and service.rollout:
            return pool_kind(service.versions[service.serving], service.versions[service.rollout.to])
    return None
