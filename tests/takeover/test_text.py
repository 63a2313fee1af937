"""The text of a stack file says what was meant, whatever the values are."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from inference_rollouts.settings.stack_file import read
from inference_rollouts.takeover import text

KEY = "inference-rollouts:services"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    ["on", "1.30", "22:00", "null", "~", "#x", "a: b", "- x", "", " x", "x ", "a\nb\n", "a\n\nb", "\n", "0x1f", "2026-01-05", "`"]
)
SCALARS = TEXTS | st.integers(-(10**12), 10**12) | st.booleans() | st.none()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=20
)


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
@settings(max_examples=300, deadline=None)
def test_any_value_is_read_back_as_it_was(value: dict[str, Any]) -> None:
    config = {KEY: {"llm": value}}
    comments = {(KEY, "llm"): ["a comment", "a\nnother"]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "Pulumi.x.yaml"
        path.write_text(text.stack_text(config, comments, ["head"]), "utf-8")
        file = read(path)

    assert file.problems == []
    assert file.config == config


def test_a_long_comment_is_folded_and_a_command_in_it_is_not() -> None:
    comments = {("a",): ["word " * 60, "  indented"]}
    lines = text.stack_text({"a": 1}, comments, []).splitlines()

    assert all(len(line) <= 125 for line in lines)
    assert "  #   indented" in lines


def test_pulumis_own_lines_stay_above_the_config() -> None:
    assert text.stack_text({"a": 1}, {}, [], "encryptionsalt: v1:abc").splitlines()[1:] == [
        "encryptionsalt: v1:abc",
        "config:",
        "  a: 1",
    ]
