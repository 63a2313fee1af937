"""Hundreds of stack files as people write them: an edit changes the lines that are meant, and its way back is byte-identical."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from inference_rollouts.edit import meaning, target
from inference_rollouts.edit.document import Document
from inference_rollouts.edit.meaning import Place
from inference_rollouts.edit.nodes import Node
from inference_rollouts.edit.operations import add_rollout, finish, parsed, set_stage
from inference_rollouts.errors import InputError
from inference_rollouts.settings.stack_file import StackFile
from tests.edit.generated import stack_text

FILE = Path("Pulumi.generated.yaml")
LLM = Place("llm")


def opened(data: bytes) -> tuple[StackFile, Document]:
    return parsed(FILE, data), Document.of(FILE, data)


def rolling(file: StackFile) -> target.Target:
    return target.under_way(file.settings(), "generated", None)


def changed(old: bytes, new: bytes) -> tuple[list[bytes], list[bytes]]:
    """Lines that go, and lines that come."""
    diff = list(difflib.diff_bytes(difflib.unified_diff, old.splitlines(True), new.splitlines(True), n=0))[2:]
    return [line[1:] for line in diff if line[:1] == b"-"], [line[1:] for line in diff if line[:1] == b"+"]


@pytest.mark.parametrize("seeds", [range(first, first + 40) for first in range(0, 520, 40)], ids=lambda seeds: str(seeds[0]))
def test_advance_and_then_rollback_of_a_file_at_prepare_is_byte_identical(seeds):
    for seed in seeds:
        data = stack_text(seed)
        file, doc = opened(data)
        step = target.advance(rolling(file))
        assert step.to == 1

        up = set_stage(file, doc, LLM, step.to)
        there, _ = opened(up.data)
        back = target.rollback(rolling(there))
        assert back.to == "prepare"

        gone, come = changed(data, up.data)
        assert (len(gone), len(come)) == (1, 1), f"seed {seed}: more than one line changes"
        assert set_stage(there, up, LLM, back.to, earlier=[data]).data == data, f"seed {seed}"


@pytest.mark.parametrize("seed", range(520, 550))
def test_a_rollout_is_added_and_nothing_else_changes(seed):
    data = stack_text(seed, stage=None)
    edited = add_rollout(*opened(data), LLM, "llm-new", (1, 100)).data
    before = alike(data, edited)
    assert before + alike(data[before:][::-1], edited[before:][::-1]) == len(data)


def alike(one: bytes, other: bytes) -> int:
    """Bytes that two texts have in common at their beginning."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@pytest.mark.parametrize("seed", range(550, 590))
def test_a_finish_keeps_every_line_that_is_not_of_the_old_version_the_rollout_or_an_heir(seed):
    data = stack_text(seed, stage="retire")
    file, doc = opened(data)
    if any(is_held(doc, *shared) for shared in doc.shared()):
        with pytest.raises(InputError, match="then try again"):
            finish(file, doc, LLM)
        return
    gone, _ = changed(data, finish(file, doc, LLM).data)
    heirs = meaning.heirs(file.config, "llm", "llm")
    assert {line.strip() for line in gone} <= meant(doc, heirs) | {b""}


def is_held(doc: Document, anchored: Node, aliases: list[Node]) -> bool:
    """Whether an anchor in the old version is named elsewhere."""
    old = doc.pair((*LLM.path, "versions", "llm"))
    return old.start <= anchored.start < old.end and any(not old.start <= alias.start < old.end for alias in aliases)


def meant(doc: Document, heirs: list[str]) -> set[bytes]:
    """Lines of the old version, its heirs, the rollout and `serving`, with the comments right above them."""
    at = LLM.path
    pairs = [doc.pair((*at, "serving")), doc.pair((*at, "rollout")), doc.pair((*at, "versions", "llm"))]
    pairs += [doc.pair((*at, "versions", name)) for name in heirs]
    lines: set[bytes] = set()
    for pair in pairs:
        start = doc.line_start(pair.start)
        if not doc.text[start : pair.start].strip():
            start, end = doc.lines_of(pair, with_comments=True)
        else:
            end = doc.line_end(pair.end)
        lines |= {line.strip() for line in doc.text[start:end].encode().splitlines()}
    return lines


def test_what_is_generated_is_as_various_as_it_should_be():
    texts = [stack_text(seed) for seed in range(520)]
    for part in (
        b"\r\n",
        b"\xef\xbb\xbf",
        b"<<: *",
        b"*a",
        b"&a",
        b"rollout: {",
        b"'prepare'",
        b'"prepare"',
        b"# stage: 10",
        b"rollout: #",
    ):
        assert sum(part in text for text in texts) >= 3, part
    assert sum(not text.endswith(b"\n") for text in texts) >= 20
    assert len({quotes(text) for text in texts}) == 9, "the quotes of `to` and those of `stage` do not depend on each other"
    assert len(set(texts)) == len(texts)


def quotes(text: bytes) -> tuple[str | None, ...]:
    """Around the version that a rollout goes to, and around its stage."""
    doc = Document.of(FILE, text)
    return tuple(doc.pair((*LLM.path, "rollout", key)).value.style for key in ("to", "stage"))
