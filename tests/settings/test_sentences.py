"""How problems are said: values as the operator knows them, the nearest word, one line each."""

from __future__ import annotations

import doctest

import pytest

from inference_rollouts import errors
from inference_rollouts.errors import InputError, Problem, all_of, allowed, named, nearest_word, one_of, path_of, shown
from inference_rollouts.settings.yaml_nodes import Number


def test_the_examples_in_the_docstrings_are_true():
    assert doctest.testmod(errors).failed == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        (True, "true"),
        (4, "4"),
        (1.5, "1.5"),
        ("4", "'4'"),
        ({}, "a map"),
        ([1], "a list"),
        ((), "a list"),
        ("", "''"),
    ],
)
def test_a_value_is_shown_as_it_is_written(value, text):
    assert shown(value) == text


def test_a_number_is_shown_with_the_zero_that_it_was_written_with():
    assert (shown(Number.of("1.30")), Number.of("1.30")) == ("1.30", 1.3)


def test_a_long_value_is_cut():
    assert len(shown("x" * 1000)) == 80
    assert len(named("x" * 1000)) == 80


@pytest.mark.parametrize(
    ("word", "known", "near"),
    [
        ("llm-nwe", ["llm", "llm-new"], "llm-new"),
        ("machine_type", ["machineType", "max"], "machineType"),
        ("LATEST", ["latest"], "latest"),
        ("zebra", ["cluster"], None),
        ("x", [], None),
    ],
)
def test_the_nearest_word_is_found_whatever_its_case(word, known, near):
    assert nearest_word(word, known) == near


def test_lists_of_words_read_like_sentences():
    assert (one_of(["a"]), one_of(["a", 2, "c"]), all_of(["a", "b", "c"]), one_of([])) == (
        "a",
        "a, 2 or c",
        "a, b and c",
        "nothing",
    )
    assert allowed("zebra", ["a", "b"]) == "; allowed: a or b"


def test_a_problem_is_one_line_that_no_terminal_obeys():
    problem = Problem(path_of("services", "a\nb\x1b[31m"), "is no label", "x.yaml", 3)

    assert str(problem) == 'x.yaml:3: services."a\\nb\\x1b[31m": is no label'


def test_problems_stand_in_the_order_of_the_file_and_each_once():
    late, early = Problem("b", "is late", "f", 9), Problem("z", "is early", "f", 1)

    assert InputError([late, early, late]).problems == (early, late)
    assert str(InputError([late, early])) == "f:1: z: is early\nf:9: b: is late"
