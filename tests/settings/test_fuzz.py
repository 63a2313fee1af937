"""Damaged stack files: whatever stands in a file, the outcome is settings or problems that say where and what."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from inference_rollouts.errors import InputError, Problem
from inference_rollouts.plan import plan_for
from inference_rollouts.settings import PROJECT, load
from inference_rollouts.settings.stack_file import read

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted((ROOT / "stacks").glob("Pulumi.*.yaml"))
EXAMPLES = 2000
"""Of each of the two kinds; the seeds are the numbers, so every run is the same."""

ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 100, 101, 10**12, 1.5, -0.0, "", " ", "x", "10", "llm", "llm-new", "tone-v1", "a/b", "é\n\x00",
    "x" * 300, "\ud800", [], [[]], [None], ["llm", "llm"], [100], {}, {"": 1}, {"secure": "v1:x"}, {"name": []},
    {"a.b": {"c": None}},
)  # fmt: skip
ODD_TEXT = (
    b"\t",
    b"\x00",
    b"\xff",
    b"'",
    b'"',
    b": ",
    b"- ",
    b"{",
    b"[",
    b"&a ",
    b"*a",
    b"<<: *a",
    b"!!str ",
    b"#",
    b"---\n",
    b"\n",
    b"%",
    b"null",
    b"1e3",
)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a raw value, as the keys that lead to it."""
    if at:
        yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*at, key))


def at(value: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        value = value[key]
    return value


def mutate(config: dict[str, Any], chance: random.Random) -> None:
    """One change: a key dropped, renamed, moved or repeated, a value replaced by an odd one or by another of the file."""
    place = chance.choice(list(places(config)))
    parent, key = at(config, place[:-1]), place[-1]
    other = copy.deepcopy(at(config, chance.choice(list(places(config)))))
    match chance.randrange(6):
        case 0:
            del parent[key]
        case 1 if isinstance(parent, dict):
            parent[chance.choice([f"{key}s", str(key)[:-1], str(key).upper(), "like", "external", "null"])] = parent.pop(key)
        case 2:
            parent[key] = other
        case 3 if isinstance(parent, dict):
            parent[chance.choice([place[-1] for place in places(config) if isinstance(place[-1], str)])] = other
        case 4 if isinstance(parent[key], list):
            parent[key].append(other)
        case _:
            parent[key] = copy.deepcopy(chance.choice(ODD))


def damage(data: bytes, chance: random.Random) -> bytes:
    """One change of the bytes: flipped, inserted, cut out, repeated or cut off."""
    start = chance.randrange(len(data) + 1)
    end = min(len(data), start + chance.randrange(1, 40))
    match chance.randrange(5):
        case 0:
            return data[:start] + bytes([chance.randrange(256)]) + data[start + 1 :]
        case 1:
            return data[:start] + chance.choice(ODD_TEXT) + data[start:]
        case 2:
            return data[:start] + data[end:]
        case 3:
            elsewhere = chance.randrange(len(data) + 1)
            return data[:elsewhere] + data[start:end] + data[elsewhere:]
        case _:
            return data[:start] if chance.random() < 0.3 else data[:start] + data[start:end] + data[start:]


def outcome(act: Callable[[Any], object], given: Any) -> tuple[Problem, ...]:
    """The problems of an attempt, each with a sentence; none where it succeeds. Any other exception fails the test."""
    try:
        act(given)
    except InputError as e:
        problems = e.problems
    else:
        return ()
    assert problems, "an InputError holds at least one problem"
    assert all(problem.message.strip() for problem in problems), problems
    return problems


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_stack_file_with_damaged_bytes_is_read_or_every_problem_names_the_file(path, tmp_path):
    original, target = path.read_bytes(), tmp_path / "Pulumi.damaged.yaml"
    seen = set()
    for seed in range(EXAMPLES // len(SHIPPED)):
        chance, data = random.Random(seed), original
        for _ in range(chance.randrange(1, 4)):
            data = damage(data, chance)
        target.write_bytes(data)

        problems = outcome(lambda path: read(path).settings(), target)

        assert {problem.file for problem in problems} <= {str(target)}, (seed, problems)
        assert all("\n" not in str(problem) for problem in problems), (seed, problems)
        seen.add(bool(problems))

    assert seen == {True, False}, "the changes are neither all fatal nor all harmless, or this test would say little"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_config_with_misplaced_keys_and_values_is_planned_or_every_problem_has_a_sentence(path):
    original = {key.removeprefix(f"{PROJECT}:"): value for key, value in read(path).config.items() if key.startswith(PROJECT)}
    seen = set()
    for seed in range(EXAMPLES // len(SHIPPED)):
        chance, config = random.Random(seed), copy.deepcopy(original)
        for _ in range(chance.randrange(1, 4)):
            mutate(config, chance)

        problems = outcome(lambda config: plan_for(load(config)), config)

        assert all("\n" not in str(problem) for problem in problems), (seed, problems)
        seen.add(bool(problems))

    assert seen == {True, False}, "the changes are neither all fatal nor all harmless, or this test would say little"
