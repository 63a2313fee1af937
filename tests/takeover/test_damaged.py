"""Damaged manifests: whatever is wrong in them, there is a takeover, and a file that is written is valid."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.takeover.reading import manifests, rendered_objects, taken_objects, written

JUNK = [None, "", "x", 0, -1, 3.5, True, [], {}, [1], {"a": 1}, ["a"], [None], {"name": None}, "a\nb", "`"]


def team() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(manifests("upstream-helm")[0].read_text("utf-8")))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in an object but the object itself."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [p for key, below in inner for p in ((*path, key), *places(below, (*path, key)))]


def damage(value: Any, chance: random.Random) -> None:
    """Take something out, double it, or put junk in its place."""
    *way, last = chance.choice(places(value))
    for key in way:
        value = value[key]
    match chance.randrange(3):
        case 0 if isinstance(value, dict):
            del value[last]
        case 1 if isinstance(value, list):
            value.append(copy.deepcopy(value[last]))
        case _:
            value[last] = copy.deepcopy(chance.choice(JUNK))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("of", ["team", "lora-adapter", "v1alpha2"])
def test_damaged_manifests_never_raise_and_never_make_a_file_that_is_not_valid(of: str, seed: int, tmp_path: Path) -> None:
    chance = random.Random(f"{of} {seed}")
    whole = team() if of == "team" else rendered_objects(of)
    for _ in range(8):
        objects = copy.deepcopy(whole)
        for _ in range(chance.choice([1, 1, 2, 4])):
            damage(objects[chance.randrange(len(objects))], chance)
        found = taken_objects(objects)
        if found.whole:
            file = written(found, tmp_path)
            assert file.config == found.config
            file.settings()
