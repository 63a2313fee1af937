"""The documents tell the truth: their examples load, run, and are those that ship."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from inference_rollouts.cli.main import everything
from inference_rollouts.rehearsal.program import record
from inference_rollouts.settings.stack_file import read
from tests.conftest import ROOT, example

README = (ROOT / "README.md").read_text("utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_annotated_stack_file_is_the_one_that_ships(tmp_path: Path):
    file = tmp_path / "readme.yaml"
    file.write_text(blocks(README, "yaml")[0], "utf-8")

    assert read(file).config == example("node-update")


def test_the_conditions_in_the_readme_are_valid(tmp_path: Path):
    base = (ROOT / "stacks" / "Pulumi.node-update.yaml").read_text("utf-8")
    without = "\n".join(line for line in base.splitlines() if not line.lstrip().startswith("rollout:"))
    file = tmp_path / "conditions.yaml"
    file.write_text(f"{without}\n{blocks(README, 'yaml')[1]}", "utf-8")

    service = read(file).settings().services["llm"]

    assert service.rollout is not None
    assert (service.rollout.bake, len(service.rollout.checks), len(service.freeze)) == (1800, 2, 1)


def test_every_verb_of_the_readme_exists_and_every_verb_is_in_the_readme():
    verbs = set(get_command(everything()).commands)  # type: ignore[attr-defined]
    table = README[README.index("| verb |") : README.index("[docs/walkthrough.md]")]

    assert verbs == {verb for verb in re.findall(r"`(?:rollout )?([a-z]+)", table) if verb in verbs}
    assert set(re.findall(r"rollout ([a-z]+) ", " ".join(blocks(README, "sh")))) <= verbs


@pytest.mark.parametrize("page", ["docs/components.md"])
def test_the_python_examples_run(page: str):
    (code,) = blocks((ROOT / page).read_text("utf-8"), "python")

    recording = record(lambda: exec(compile(code, page, "exec"), {}), "docs", {"gcp:project": "p"})

    assert any(registration.type.endswith(":HTTPRoute") for registration in recording.resources.values())


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=str)
def test_every_link_to_a_file_leads_somewhere(page: Path):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{page}: {target}"
