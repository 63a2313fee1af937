"""Whether the objects that carry weights stand as they were deployed: the live weights, and the split they were written for.

Two things move them away from the record: a hand, which leaves the annotation as it was, and an update that failed
half-way, which wrote both. The two need different words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inference_rollouts.checks import Finding
from inference_rollouts.naming import SPLIT_ANNOTATION
from inference_rollouts.observe.bake import last_writer
from inference_rollouts.observe.cluster import Absent, Answer, Found, Unreadable
from inference_rollouts.observe.targets import SplitTarget
from inference_rollouts.record import Split

OF_SPLITS = ("live weights", "record agrees")
"""The checks that `as_deployed` makes: of the weights, and of the annotation."""

BY_HAND = "edited by hand: run pulumi up --refresh with the deployed stage, or fall back"
HALF_WAY = "an update failed half-way: run pulumi up with stage {stage} again, or fall back"


def as_deployed(target: SplitTarget, at: str, answer: Answer) -> list[Finding]:
    """Two findings: the live weights are those of the record, and so is the annotation."""
    wanted = listed(target.weights(target.split))
    recorded = f"the recorded split, {_told(target.split)}"
    match answer:
        case Absent():
            return [Finding("live weights", "fail", "nothing of that name", wanted, at)]
        case Unreadable(reason):
            return [Finding("live weights", "unknown", f"no answer: {reason}", wanted, at)]
        case Found(value):
            return [_weights(target, at, value), _annotation(target.split, recorded, at, value)]


def _weights(target: SplitTarget, at: str, value: Mapping[str, Any]) -> Finding:
    wanted, live = target.weights(target.split), live_weights(value)
    if live is None:
        return Finding("live weights", "unknown", "backends without weights, or none", listed(wanted), at, BY_HAND)
    if live == wanted:
        return Finding("live weights", "pass", listed(live), listed(wanted), at)
    written = recorded_split(value)
    half_way = isinstance(written, Split) and written != target.split and target.weights(written) == live
    advice = HALF_WAY.format(stage=target.split.stage) if half_way else BY_HAND
    writer = last_writer(value)
    seen = f"{listed(live)}, written by {writer}" if writer else listed(live)
    return Finding("live weights", "fail", seen, listed(wanted), at, advice)


def live_weights(value: Mapping[str, Any]) -> dict[str, int] | None:
    """Weight by backend, of the rule that splits: the last one of a route. None where there is nothing to read.

    A route's backend without a weight has 1; an adapter's targets without weights share evenly, which is no split of ours.
    """
    spec = value.get("spec") or {}
    rule = (spec.get("rules") or [{}])[-1]
    key, name, default = {
        "HTTPRoute": ("backendRefs", "name", 1),
        "InferenceModelRewrite": ("targets", "modelRewrite", None),
        "InferenceModel": ("targetModels", "name", None),
    }[value["kind"]]
    backends = (spec if key == "targetModels" else rule).get(key) or []
    weights = {backend.get(name): backend.get("weight", default) for backend in backends}
    return None if not weights or None in weights.values() else weights


def _annotation(recorded: Split, wanted: str, at: str, value: Mapping[str, Any]) -> Finding:
    written, check = recorded_split(value), "record agrees"
    if not isinstance(written, Split):
        return Finding(check, "unknown", written, wanted, at, HALF_WAY.format(stage=recorded.stage))
    if written == recorded:
        return Finding(check, "pass", _told(written), wanted, at)
    there, here = written.to_wire(), recorded.to_wire()
    differs = sorted(key for key in there.keys() | here.keys() if there.get(key) != here.get(key))
    seen = f"{_told(written)} (another {', '.join(differs)})"
    return Finding(check, "fail", seen, wanted, at, HALF_WAY.format(stage=recorded.stage))


def recorded_split(value: Mapping[str, Any]) -> Split | str:
    """The split that the object was written for, or why it cannot be told."""
    text = (value["metadata"].get("annotations") or {}).get(SPLIT_ANNOTATION)
    if not text:
        return f"no annotation {SPLIT_ANNOTATION}"
    try:
        return Split.from_json(text)
    except ValueError as e:
        return f"an annotation {SPLIT_ANNOTATION} that is no split ({e})"


def _told(split: Split) -> str:
    rollout = f" on the way to {split.to}, steps {list(split.steps)}" if split.to else ""
    return f"{split.serving} at {split.stage}{rollout}"


def listed(weights: Mapping[str, int]) -> str:
    """Weights as text."""
    return ", ".join(f"{name} {weight}" for name, weight in weights.items())
