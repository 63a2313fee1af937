"""What `rollout render` writes, imported again, is the same plan, but for what no manifest holds."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inference_rollouts.cli.project import plan_of
from inference_rollouts.settings.stack_file import read
from tests.conftest import EXAMPLES, FIXTURES, stack_path
from tests.takeover.reading import given_of, live, rendered_objects, rendered_texts, taken, taken_objects, written

OF_NODES = ("nodes", "accelerators", "devices", "nodePool")
"""GKE's node pools, with their machine types: imported as pools that exist."""

KNOWN_LOSSES: dict[str, tuple[str, ...]] = {
    # What holds for a spot pool, and so follows from its node pool.
    "autoscaling": ("notes",),
    # The Gateway that the file names is none of its two parents.
    "door": ("gateway",),
    # The ComputeClass says no accelerator: what followed from it is written out, to the same pods.
    "existing-nodes": ("accelerator_resource", "tolerate", "args", "resources", "pod_spec"),
    # A Gateway is used, never taken over.
    "gateway-create": ("gateway", "createdGateway"),
    # The model of a server that is not vLLM is only a word of its arguments.
    "openai": ("model",),
    # The mark of what test traffic has tried; it changes with the node pool.
    "test-header": ("annotations",),
}


def unlike(old: Any, new: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Paths of the fields of two plans that differ."""
    if dataclasses.is_dataclass(old) and type(old) is type(new):
        for field in dataclasses.fields(old):
            yield from unlike(getattr(old, field.name), getattr(new, field.name), (*path, field.name))
    elif isinstance(old, dict) and isinstance(new, dict):
        for key in {*old, *new}:
            yield from unlike(old.get(key), new.get(key), (*path, key))
    elif isinstance(old, list | tuple) and isinstance(new, list | tuple) and len(old) == len(new):
        for i, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from unlike(a, b, (*path, str(i)))
    elif old != new:
        yield path


def lost(name: str, path: tuple[str, ...]) -> bool:
    return any(key in path for key in (*OF_NODES, *KNOWN_LOSSES.get(name, ())))


@pytest.mark.parametrize("name", [*EXAMPLES, *FIXTURES])
def test_what_was_rendered_comes_back_as_the_same_plan(name: str, tmp_path: Path) -> None:
    found = taken(rendered_texts(name), given_of(name))
    again = plan_of(written(found, tmp_path))

    assert found.of("cannot") == []
    assert [path for path in unlike(plan_of(read(stack_path(name))), again) if not lost(name, path)] == []


@pytest.mark.parametrize("name", [*EXAMPLES, *FIXTURES])
def test_as_the_api_server_gives_it_back_it_is_the_same(name: str, tmp_path: Path) -> None:
    """Status, managers and defaults change nothing."""
    found = taken_objects(map(live, rendered_objects(name)), given_of(name))

    assert found.config == taken(rendered_texts(name), given_of(name)).config
    assert found.of("cannot") == []


def test_every_known_loss_is_one() -> None:
    """A loss that is none any more leaves the table."""
    for name, keys in KNOWN_LOSSES.items():
        again = plan_of_taken(name)
        gone = set(itertools.chain.from_iterable(unlike(plan_of(read(stack_path(name))), again)))
        assert set(keys) <= gone, name


def plan_of_taken(name: str) -> Any:
    from inference_rollouts.plan import plan_for
    from inference_rollouts.settings import PROJECT, load

    config = taken(rendered_texts(name), given_of(name)).config
    own = {key.removeprefix(f"{PROJECT}:"): value for key, value in config.items() if key.startswith(f"{PROJECT}:")}
    return plan_for(load(own))


@pytest.mark.parametrize("stage", ["baseline", "prepare", 1, 50, 100, "retire"])
def test_every_stage_comes_back_with_its_rollout(stage: Any, tmp_path: Path) -> None:
    from inference_rollouts.cli.render import rendered

    text = stack_path("node-update").read_text("utf-8").replace("stage: 10", f"stage: {stage}")
    (tmp_path / "Pulumi.at.yaml").write_text(text, "utf-8")
    at = read(tmp_path / "Pulumi.at.yaml")
    found = taken(rendered(at).files, given_of("node-update"))
    again = plan_of(written(found, tmp_path))

    planned = ("to", "steps", "notes", "conditions", "annotations") if stage == "baseline" else ()
    assert [p for p in unlike(plan_of(at), again) if not lost("", p) and not set(planned) & set(p)] == []
    rollout = found.config["inference-rollouts:services"]["llm"].get("rollout")
    if stage == "baseline":
        assert rollout is None
        assert "a rollout to llm-new is noted at baseline, where that version does not stand yet" in str(found.of("left")[0])
    else:
        assert rollout == {"to": "llm-new", "steps": [1, 10, 25, 50, 100], "stage": stage}


@pytest.mark.parametrize("stage", ["prepare", 10, 100, "retire"])
def test_every_stage_of_an_adapter_comes_back_with_its_rollout(stage: Any, tmp_path: Path) -> None:
    from inference_rollouts.cli.render import rendered

    text = stack_path("lora-adapter").read_text("utf-8").replace("stage: 10", f"stage: {stage}")
    (tmp_path / "Pulumi.at.yaml").write_text(text, "utf-8")
    at = read(tmp_path / "Pulumi.at.yaml")
    found = taken(rendered(at).files, given_of("lora-adapter"))

    assert [p for p in unlike(plan_of(at), plan_of(written(found, tmp_path))) if not lost("", p)] == []
