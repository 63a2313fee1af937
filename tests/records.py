"""Records for tests of moves: written by hand after the table of the ladder, or made by the plan from a stack config.

The table is written out here a second time on purpose: what tests the rules must not get its numbers from them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf import json_format, struct_pb2

from inference_rollouts import move, settings
from inference_rollouts.plan import plan_for
from inference_rollouts.record import Override, Record, Split
from inference_rollouts.stages import Stage

STEPS = (1, 10, 25, 50, 100)
LADDER: tuple[Stage, ...] = ("baseline", "prepare", 1, 10, 25, 50, 100, "retire")

MATRIX = """
             baseline prepare 1 10 25 50 100 retire
    baseline    y        y    -  -  -  -  -    -
    prepare     y        y    y  -  -  -  -    -
    1           -        y    y  y  -  -  -    -
    10          -        y    y  y  y  -  -    -
    25          -        y    y  y  y  y  -    -
    50          -        y    y  y  y  y  y    -
    100         -        y    y  y  y  y  y    y
    retire      -        -    -  -  -  -  y    y
"""
"""Which move is allowed: from the row to the column."""


def matrix() -> dict[tuple[Stage, Stage], bool]:
    """The matrix by pair of stages."""
    head, *rows = (line.split() for line in MATRIX.strip().splitlines())
    return {(_stage(row[0]), _stage(to)): cell == "y" for row in rows for to, cell in zip(head, row[1:], strict=True)}


def _stage(text: str) -> Stage:
    stage = int(text) if text.isdigit() else text
    assert stage in LADDER
    return stage  # pyright: ignore[reportReturnType]


def weights_at(stage: Stage, stable: str, canary: str) -> dict[str, int]:
    """The weights of the ladder's table."""
    if stage == "baseline":
        return {stable: 100}
    if stage == "prepare":
        return {stable: 100, canary: 0}
    if stage == "retire":
        return {canary: 100}
    assert isinstance(stage, int)
    return {stable: 100 - stage, canary: stage}


def split(stage: Stage, stable: str = "old", canary: str = "new", **more: Any) -> Split:
    """A rollout from `stable` to `canary` that stands at a stage."""
    given: dict[str, Any] = {"steps": STEPS, "weights": weights_at(stage, stable, canary), **more}
    return Split(serving=stable, to=canary, stage=stage, **given)


def resting(serving: str = "old", **more: Any) -> Split:
    """Without a rollout."""
    return Split(serving=serving, weights={serving: 100}, **more)


def override(origin: Stage, to: Stage, reason: str = "the old nodes fail", by: str = "ada") -> Override:
    """The permission for one move."""
    return Override(origin, to, reason, by)


def record(pools: Split, adapters: Mapping[str, Split] | None = None, **more: Any) -> Record:
    """A record whose versions are those that stand."""
    standing = {pools.serving, *pools.weights}
    sources = {
        f"{version}/{name}": f"gs://adapters/{name}"
        for version in standing
        for adapter in (adapters or {}).values()
        for name in {adapter.serving, *adapter.weights}
    }
    given: dict[str, Any] = {"sources": sources, "versions": {name: {"podTemplate": {"model": name}} for name in standing}}
    return Record(pools=pools, adapters=adapters or {}, door=DOOR, **{**given, **more})


DOOR = {
    "gateway": "gate",
    "route": "chat",
    "namespace": "default",
    "hostnames": ["chat.example.com"],
    "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
    "parentRefs": [{"name": "gate"}],
    "inferenceApi": "v1",
}


def reasons(old: Split, new: Split) -> list[str]:
    """Why the pools of the service `chat` may not move."""
    return move.judge_split("service chat", old, new)


def only(found: list[str]) -> str:
    """The one reason there is."""
    (reason,) = found
    return reason


# --- by the plan, from a stack config -------------------------------------------------------------------------------------

STACK: Mapping[str, Any] = {
    "cluster": {"name": "cluster", "location": "us-central1"},
    "gateway": {"name": "gate"},
    "services": {
        "chat": {
            "models": ["chat"],
            "route": {"hostnames": ["chat.example.com"]},
            "serving": "old",
            "versions": {
                "old": {
                    "nodes": {"accelerator": "nvidia-l4", "machineType": "g2-standard-12", "max": 6},
                    "server": {
                        "model": "org/model",
                        "image": "vllm/vllm-openai:v0.32.0",
                        "replicas": 4,
                        "lora": {"maxLoras": 8, "maxRank": 16},
                    },
                },
                "new": {"like": "old", "nodes": {"accelerator": "nvidia-rtx-pro-6000", "machineType": "g4-standard-48"}},
            },
            "adapters": {
                "tone": {
                    "serving": "tone-v1",
                    "versions": {"tone-v1": {"source": "gs://adapters/tone-v1"}, "tone-v2": {"source": "gs://adapters/tone-v2"}},
                },
                "style": {
                    "serving": "style-v1",
                    "versions": {"style-v1": {"source": "gs://adapters/s-1"}, "style-v2": {"source": "gs://adapters/s-2"}},
                },
            },
        }
    },
}

Edit = Callable[[dict[str, Any]], None]
"""Changes the config of the service `chat` in place."""


def plan(stack: Mapping[str, Any]) -> Record:
    """The record that the plan makes of a stack's one service, with numbers as hooks get them."""
    (service,) = plan_for(settings.load(stack)).services
    return Record.from_wire(as_hooks_see(service.record.to_wire()))


def planned(*edits: Edit) -> Record:
    """The record that the plan makes of the stack with these edits."""
    stack = copy.deepcopy(dict(STACK))
    for edit in edits:
        edit(stack["services"]["chat"])
    return plan(stack)


def stack_config(*edits: Edit) -> dict[str, Any]:
    """All config keys of the stack with these edits, as the program gets them."""
    stack = copy.deepcopy(dict(STACK))
    for edit in edits:
        edit(stack["services"]["chat"])
    return {"gcp:project": "p", **{f"inference-rollouts:{key}": value for key, value in stack.items()}}


def judged(before: tuple[Edit, ...] | Edit, after: tuple[Edit, ...] | Edit) -> list[str]:
    """Why the service may not move from the one config to the other."""
    old, new = (edits if isinstance(edits, tuple) else (edits,) for edits in (before, after))
    return move.judge("chat", planned(*old), planned(*new))


def as_hooks_see(wire: Mapping[str, Any]) -> dict[str, Any]:
    """The values after their way through Pulumi's state: every number is a float."""
    return json_format.MessageToDict(json_format.ParseDict(dict(wire), struct_pb2.Struct()))


def as_it_is(service: dict[str, Any]) -> None:
    """No edit."""


def at(stage: Stage, **more: Any) -> Edit:
    """A pool rollout from old to new."""

    def edit(service: dict[str, Any]) -> None:
        service["rollout"] = {"to": "new", "steps": list(STEPS), "stage": stage, **more}

    return edit


def tone_at(stage: Stage, **more: Any) -> Edit:
    """A rollout of the adapter tone from tone-v1 to tone-v2."""

    def edit(service: dict[str, Any]) -> None:
        service["adapters"]["tone"]["rollout"] = {"to": "tone-v2", "steps": list(STEPS), "stage": stage, **more}

    return edit


def put(path: str, value: Any) -> Edit:
    """A value at a dotted path; None takes the key out."""

    def edit(service: dict[str, Any]) -> None:
        *parents, key = path.split(".")
        for parent in parents:
            service = service.setdefault(parent, {})
        if value is None:
            del service[key]
        else:
            service[key] = value

    return edit
