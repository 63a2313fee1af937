"""What changes about a resource, in one wording: values as JSON has them."""

from __future__ import annotations

from typing import Any

import pytest

from inference_rollouts.cli.changes import details
from inference_rollouts.rehearsal.engine import Operation


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (None, [{"type": "Exact", "name": "x"}], 'spec.a: nothing → [{"type": "Exact", "name": "x"}]'),
        (True, {"a": None, "b": "ü"}, 'spec.a: true → {"a": null, "b": "ü"}'),
        ("llm", "llm-new", "spec.a: llm → llm-new"),
        (1, 2.5, "spec.a: 1 → 2.5"),
        ({"name": "llm", "weight": 90}, {"name": "llm", "weight": 75}, "spec.a: llm weight 90 → llm weight 75"),
        ("a" * 61, "b", "spec.a"),
    ],
)
def test_a_value_is_written_as_json_and_not_as_python(old: Any, new: Any, line: str) -> None:
    operation = Operation("update", "kubernetes:x:Y", "y", "y", False, ("spec.a",), (), ((old, new),))

    assert list(details(operation)) == [line]
