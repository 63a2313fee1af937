"""`rollout render`: the Kubernetes objects of the stage, one file each, in a folder that render alone writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from inference_rollouts.cli import render
from inference_rollouts.errors import InputError
from tests.conftest import ROOT
from tests.edit.project import Project, make_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    return make_project(tmp_path)


def rendered(project: Project, stack: str = "node-update") -> dict[str, dict]:
    answer = project.rollout("render", stack, "-o", "out")
    assert (answer.code, answer.err) == (0, "")
    return {path.name: yaml.safe_load(path.read_text("utf-8")) for path in Path("out").glob("*.yaml")}


def test_each_object_is_a_file_named_by_namespace_kind_and_name(project):
    objects = rendered(project)

    assert {"default.HTTPRoute.routes-to-llm.yaml", "default.Deployment.llm-new.yaml", "default.InferencePool.llm.yaml"} <= set(
        objects
    )
    for name, manifest in objects.items():
        assert name == render.file_name(manifest)


def test_annotations_that_only_pulumi_reads_are_left_out_and_others_stay(project):
    objects = rendered(project)

    for manifest in objects.values():
        assert not [key for key in manifest["metadata"].get("annotations", {}) if key.startswith("pulumi.com/")]
    assert "inference-rollouts/split" in objects["default.HTTPRoute.routes-to-llm.yaml"]["metadata"]["annotations"]


def test_the_weights_are_those_of_the_stage(project):
    route = rendered(project)["default.HTTPRoute.routes-to-llm.yaml"]

    assert [ref["weight"] for ref in route["spec"]["rules"][0]["backendRefs"]] == [90, 10]


@pytest.mark.parametrize("stack", ["node-update", "base-model", "lora-adapter"])
def test_a_yaml_1_1_parser_reads_exactly_what_the_program_registers(project, stack):
    from inference_rollouts.cli.project import open_stack
    from inference_rollouts.rehearsal.program import run

    recording = run(project.folder, stack, open_stack(stack).config)
    registered = {}
    for found in recording.resources.values():
        if found.custom and found.type.startswith("kubernetes:"):
            manifest = dict(found.inputs)
            kept = {k: v for k, v in manifest["metadata"].get("annotations", {}).items() if not k.startswith("pulumi.com/")}
            manifest["metadata"] = {k: v for k, v in manifest["metadata"].items() if k != "annotations"} | (
                {"annotations": kept} if kept else {}
            )
            registered[render.file_name(manifest)] = manifest

    assert rendered(project, stack) == registered


def test_the_same_stack_file_is_the_same_bytes_in_each_process(project):
    for folder in ("one", "two"):
        command = [sys.executable, "-m", "inference_rollouts.cli.main", "render", "node-update", "-o", folder]
        subprocess.run(command, cwd=project.folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=True)
    one, two = ({path.name: path.read_bytes() for path in Path(folder).iterdir()} for folder in ("one", "two"))

    assert one == two
    assert len(one) > 20


def test_a_manifest_begins_as_manifests_do_and_goes_on_in_the_order_of_the_alphabet():
    manifest = {"spec": {"b": 1, "a": [{"d": 1, "c": 2}]}, "data": {}, "kind": "X", "metadata": {"name": "x"}, "apiVersion": "v1"}
    text = render.text_of(manifest)

    assert text == render.text_of(dict(reversed(manifest.items())))
    assert text.split("\n")[:-1] == [
        "apiVersion: v1",
        "kind: X",
        "metadata:",
        "  name: x",
        "spec:",
        "  a:",
        "    - c: 2",
        "      d: 1",
        "  b: 1",
        "data: {}",
    ]


WORDS = ["yes", "on", "1.30", "0o17", "0x1F", "1e3", "12:30:45", "2026-01-01", "~", "null", "=", "", "<<", "é"]
SIGNS = [" x", "a: b", "#", "- a", "a\nb", "a \nb\n", "\ta", "'", '"', "a\n\n", "\n"]


@pytest.mark.parametrize("text", WORDS + SIGNS)
def test_text_that_parsers_may_take_for_something_else_stays_text(text):
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"key": text}}

    assert yaml.safe_load(render.text_of(manifest)) == manifest


def test_a_file_with_a_problem_is_a_sentence(project):
    file = project.file("node-update")
    file.write_text(file.read_text("utf-8").replace("serving: llm", "serving: lm"), "utf-8")
    answer = project.rollout("render", "node-update", "-o", "out")

    assert (answer.code, answer.out) == (1, "")
    assert "services.llm.serving" in answer.err


def test_what_is_no_kubernetes_object_is_named(project):
    document = json.loads(project.rollout("render", "node-update", "-o", "out", "--json").out)

    assert document["notRendered"] == ["NodePool llm", "NodePool llm-new"]
    assert sorted(document["files"]) == sorted(path.name for path in Path("out").glob("*.yaml"))


def test_a_folder_that_was_rendered_before_is_replaced_as_a_whole(project):
    rendered(project)
    project.rollout("rollback", "node-update", "--yes")
    file = project.file("node-update")
    file.write_text(file.read_text("utf-8").replace("stage: prepare", "stage: baseline"), "utf-8")

    assert "default.Deployment.llm-new.yaml" not in rendered(project)
    assert [path.name for path in Path().iterdir() if path.name.startswith(".out")] == []


def test_a_folder_with_other_files_is_refused_and_named(project):
    rendered(project)
    Path("out/mine.yaml").write_text("mine")
    before = sorted(path.name for path in Path("out").iterdir())
    answer = project.rollout("render", "node-update", "-o", "out")

    assert answer.code == 1
    assert answer.err == "out: holds files that render did not write (mine.yaml); name an empty folder, or take them out\n"
    assert sorted(path.name for path in Path("out").iterdir()) == before


def test_a_folder_that_was_not_rendered_is_refused_although_its_names_look_alike(project):
    Path("out").mkdir()
    Path("out/default.HTTPRoute.routes-to-llm.yaml").write_text("mine")

    assert project.rollout("render", "node-update", "-o", "out").code == 1


def test_a_file_for_a_folder_is_refused(project):
    Path("out").write_text("")

    assert project.rollout("render", "node-update", "-o", "out").err == "out: is a file; name a folder\n"


def fail_a_rename(monkeypatch: pytest.MonkeyPatch, failing: int) -> None:
    """That one of the renames, counted from 1, fails."""
    real, calls = render.os.replace, []

    def replace(old: Path, new: Path) -> None:
        calls.append(old)
        if len(calls) == failing:
            raise OSError(28, "No space left on device")
        real(old, new)

    monkeypatch.setattr(render.os, "replace", replace)


@pytest.mark.parametrize("failing", [1, 2])
def test_a_rename_that_fails_leaves_the_old_folder(project, monkeypatch, failing):
    rendered(project)
    before = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    fail_a_rename(monkeypatch, failing)
    with pytest.raises(InputError, match="No space left on device"):
        render.write(render.Rendered("node-update", {"a.yaml": "a"}, ()), Path("out"))

    assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == before
    assert [path.name for path in Path().iterdir() if path.name.startswith(".out")] == []


# --- the folder that somebody stands in -------------------------------------------------------------------------------


@pytest.fixture
def inside(project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = project.folder / "out"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("said", [".", "../out"])
def test_the_working_directory_stays_and_its_files_are_replaced(project, inside, said):
    number = inside.stat().st_ino
    for _ in range(2):
        answer = project.rollout("render", "node-update", "-o", said)
        assert (answer.code, answer.err, inside.stat().st_ino) == (0, "", number)
    there = contents(inside)
    project.rollout("render", "node-update", "-o", "../beside")

    assert there == contents(project.folder / "beside")


def test_in_the_working_directory_what_is_rendered_no_more_goes(project, inside):
    render.write(render.Rendered("a", {"a.yaml": "a", "b.yaml": "b"}, ()), Path())
    render.write(render.Rendered("a", {"b.yaml": "c", "d.yaml": "d"}, ()), Path())

    assert contents(inside) == {"b.yaml": b"c", "d.yaml": b"d", render.MARKER: b"b.yaml\nd.yaml\n"}


@pytest.mark.parametrize("failing", [1, 2, 3, 4])
def test_in_the_working_directory_a_rename_that_fails_leaves_what_the_next_run_can_mend(inside, monkeypatch, failing):
    render.write(render.Rendered("a", {"a.yaml": "a", "b.yaml": "b"}, ()), Path())
    fail_a_rename(monkeypatch, failing)
    found = render.Rendered("a", {"b.yaml": "c", "d.yaml": "d"}, ())
    with pytest.raises(InputError, match="No space left on device"):
        render.write(found, Path())
    render.write(found, Path())

    assert contents(inside) == {"b.yaml": b"c", "d.yaml": b"d", render.MARKER: b"b.yaml\nd.yaml\n"}


def test_a_draft_that_a_killed_run_left_in_the_working_directory_is_taken_away(inside):
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    found = render.Rendered("a", {"a.yaml": "a"}, ())
    render.write(render.Rendered("a", {"old.yaml": "a"}, ()), Path())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render, "_remove", killed)
        patch.setattr(render.shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            render.write(found, Path())
    assert [name for name in os.listdir(inside) if name.endswith(".tmp")]
    render.write(found, Path())

    assert contents(inside) == {"a.yaml": b"a", render.MARKER: b"a.yaml\n"}


def test_in_the_working_directory_files_of_others_are_refused_too(project, inside):
    (inside / "mine.yaml").write_text("mine", "utf-8")

    assert "holds files that render did not write (mine.yaml)" in project.rollout("render", "node-update", "-o", ".").err
    assert contents(inside) == {"mine.yaml": b"mine"}
