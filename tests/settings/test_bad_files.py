"""Bad stack files, and exactly what `rollout validate` says about each: bad_files/*.txt, small changes of three good files.

A case is `## what is wrong`, the file it changes, the lines or parts of lines to replace (`-`, `+`), and the output (`>`).
GOLDEN=write writes the outputs anew; read the diff before you commit it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from inference_rollouts.cli import main

FOLDER = Path(__file__).parent / "bad_files"
BASES = {path.stem: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.yaml"))}


@dataclass(frozen=True)
class Case:
    """One bad file: its name, the good file, what to replace by what, and what is said."""

    title: str
    base: str
    changes: tuple[tuple[str, str], ...]
    said: tuple[str, ...] = field(compare=False)

    @property
    def text(self) -> str:
        """The bad file; each change has exactly one place."""
        text = BASES[self.base]
        for old, new in self.changes:
            assert text.count(old) == 1, f"{self.title}: {old!r} stands {text.count(old)} times in {self.base}.yaml"
            text = text.replace(old, new)
        return text

    def __str__(self) -> str:
        lines = [f"## {self.title}", f"in {self.base}.yaml"]
        for old, new in self.changes:
            lines += [f"- {line}" for line in old.split("\n")] + [f"+ {line}" for line in new.split("\n")]
        return "\n".join([*lines, *(f"> {line}" for line in self.said)]) + "\n"


def cases_in(path: Path) -> list[Case]:
    """The cases of a file, in order."""
    head, *blocks = re.split(r"^## ", path.read_text("utf-8"), flags=re.MULTILINE)
    assert not head.strip(), f"{path.name} begins with a case"
    return [_case(block) for block in blocks]


def _case(block: str) -> Case:
    title, base, *rest = block.rstrip("\n").split("\n")
    hunks = re.findall(r"((?:^- .*\n?)+)((?:^\+ .*\n?)+)", "\n".join(rest), flags=re.MULTILINE)
    changes = tuple((_unmarked(old), _unmarked(new)) for old, new in hunks)
    said = tuple(line[2:] for line in rest if line.startswith("> "))
    return Case(title, base.removeprefix("in ").removesuffix(".yaml"), changes, said)


def _unmarked(lines: str) -> str:
    return "\n".join(line[2:] for line in lines.rstrip("\n").split("\n"))


def said_about(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[str, ...]:
    """What the command says about a stack file."""
    (folder / "stack.yaml").write_text(text, "utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["rollout", "validate", "stack.yaml"])
    with pytest.raises(SystemExit) as exit_:
        main.run()
    out, err = capsys.readouterr()
    assert (exit_.value.code, out) == (1 if err else 0, "" if err else "stack.yaml: no problems\n")
    return tuple(err.rstrip("\n").split("\n")) if err else ()


FILES = sorted(FOLDER.glob("*.txt"))
CASES = [(path, case) for path in FILES for case in cases_in(path)]


@pytest.mark.parametrize("base", BASES)
def test_the_files_that_are_changed_are_good(base, tmp_path, monkeypatch, capsys):
    assert said_about(BASES[base], tmp_path, monkeypatch, capsys) == ()


@pytest.mark.parametrize(("path", "case"), CASES, ids=[f"{path.stem}-{case.title.replace(' ', '-')}" for path, case in CASES])
def test_a_bad_file_is_refused_with_exactly_these_sentences(path, case, tmp_path, monkeypatch, capsys):
    said = said_about(case.text, tmp_path, monkeypatch, capsys)
    if os.environ.get("GOLDEN") == "write":
        rewritten = [replace(case, said=said) if other == case else other for other in cases_in(path)]
        path.write_text("\n".join(map(str, rewritten)), "utf-8")
        return

    assert said == case.said


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_case_is_written_as_it_is_read(path):
    assert path.read_text("utf-8") == "\n".join(map(str, cases_in(path))), "a line of this file belongs to no case"


@pytest.mark.parametrize(("path", "case"), CASES, ids=[f"{path.stem}-{case.title.replace(' ', '-')}" for path, case in CASES])
def test_every_sentence_is_one_line_with_a_place_and_without_noise(path, case):
    assert case.said, f"{case.title}: this file passes"
    for line in case.said:
        place, sentence = re.fullmatch(r"(stack\.yaml(?::\d+)?(?:: [^ ]+)?): (.+)", line).groups()  # pyright: ignore[reportOptionalMemberAccess]
        assert place.startswith("stack.yaml")
        assert not re.search(r"\b(\w+) \1\b|  |None|<class|Traceback|dict|\.\.$|\.$", sentence), sentence
