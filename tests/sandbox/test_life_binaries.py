"""Building the parts: once, by what they are built from, and never half. Go is played by a script here."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from sandbox import binaries
from sandbox.binaries import Program, Step
from sandbox.home import SandboxError

GO = """#!/bin/sh
if [ "$1" = list ]; then {list}; fi
while [ $# -gt 1 ]; do [ "$1" = -o ] && out=$2; shift; done
echo "built $1" > "$out"; chmod +x "$out"
{build}
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/inference-rollouts"


@pytest.fixture
def module(tmp_path: Path) -> Path:
    folder = tmp_path / "module"
    (folder / "own").mkdir(parents=True)
    (folder / "go.mod").write_text("module m\n\ngo 1.26.0\n")
    (folder / "go.sum").write_text("")
    (folder / "own/main.go").write_text("package main\n")
    (folder / "own/main_test.go").write_text("package main\n")
    return folder


def play_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, build: str = "", listed: str = "exit 0") -> Path:
    """Put a `go` before everything else on PATH."""
    folder = tmp_path / "gobin"
    folder.mkdir(exist_ok=True)
    (folder / "go").write_text(GO.format(build=build, list=listed))
    (folder / "go").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder / "go"


def files_of(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.rglob("*") if path.is_file()) if cache.exists() else []


def test_each_is_built_once_and_k_of_n_is_told(
    tmp_path: Path, module: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play_go(tmp_path, monkeypatch)
    wanted = [Program("one", "example.com/one", module), Program("two", "./own", module)]
    steps: list[Step] = []
    binaries.build(wanted, steps.append)
    assert [(step.name, step.number, step.of) for step in steps if step.done] == [("one", 1, 2), ("two", 2, 2)]
    assert wanted[0].path.read_text() == "built example.com/one\n"

    play_go(tmp_path, monkeypatch, build="exit 9", listed="exit 9")
    binaries.build(wanted, steps.append)
    assert files_of(cache) == ["one", "two"]


def test_the_seconds_run_while_one_is_built(tmp_path: Path, module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play_go(tmp_path, monkeypatch, build="sleep 1.5")
    steps: list[Step] = []
    binaries.build([Program("one", "example.com/one", module)], steps.append)
    assert [step.done for step in steps] == [False, True]
    assert 0.9 < steps[0].seconds < steps[1].seconds


def test_a_build_that_fails_says_why_and_leaves_nothing(
    tmp_path: Path, module: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play_go(tmp_path, monkeypatch, build="echo no space left on device >&2; exit 1")
    with pytest.raises(SandboxError, match="one could not be built:\nno space left on device"):
        binaries.build([Program("one", "example.com/one", module)], lambda step: None)
    assert files_of(cache) == []


def test_ctrl_c_ends_the_compiler_and_leaves_nothing(
    tmp_path: Path, module: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = tmp_path / "late"
    play_go(tmp_path, monkeypatch, build=f"(sleep 3; touch {late}) & wait")

    def interrupt(step: Step) -> None:
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        binaries.build([Program("one", "example.com/one", module)], interrupt)
    assert time.monotonic() - began < 2.5
    assert files_of(cache) == []
    time.sleep(max(0.0, 3.2 - (time.monotonic() - began)))
    assert not late.exists()


def test_without_go_it_is_said_what_to_install(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SandboxError) as refused:
        binaries.build([Program("one", "example.com/one", module)], lambda step: None)
    assert str(refused.value) == (
        "Go is needed to build the parts of the sandbox, once (https://go.dev/dl): install Go 1.26.0 or newer, see that `go` is "
        "on PATH, and say it again"
    )


def test_with_an_old_go_it_is_said_what_go_says(tmp_path: Path, module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "go: go.mod requires go >= 1.26.0 (running go 1.19)"
    go = play_go(tmp_path, monkeypatch, listed=f"echo '{words}' >&2; exit 1")
    with pytest.raises(SandboxError) as refused:
        binaries.build([Program("one", "example.com/one", module)], lambda step: None)
    assert "install Go 1.26.0 or newer" in str(refused.value)
    assert str(refused.value).endswith(f"({go} says: {words})")


@pytest.mark.parametrize(
    ("changed", "anew"),
    [("go.mod", {"theirs", "ours"}), ("go.sum", {"theirs", "ours"}), ("own/main.go", {"ours"}), ("own/main_test.go", set())],
)
def test_what_is_kept_hangs_on_what_it_is_built_from(module: Path, changed: str, anew: set[str]) -> None:
    def paths() -> dict[str, Path]:
        return {"theirs": Program("x", "example.com/x", module).path, "ours": Program("x", "./own", module).path}

    before = paths()
    (module / changed).write_text((module / changed).read_text() + "// more\n")
    assert {name for name, path in paths().items() if path != before[name]} == anew


def test_flags_count_too(module: Path) -> None:
    plain = Program("x", "example.com/x", module)
    assert (
        len(
            {
                plain.hash,
                Program("x", "example.com/x", module, ldflags="").hash,
                Program("x", "example.com/x", module, tags="t").hash,
            }
        )
        == 3
    )


def test_every_program_is_pinned_and_istiod_is_built_for_istio_alone() -> None:
    for program in binaries.programs("istio"):
        if program.package.startswith("./"):
            assert list((program.module / program.package).glob("*.go")), program.name
        else:
            tools = (program.module / "go.mod").read_text("utf-8")
            assert f"\t{program.package}\n" in tools or program.name == "prometheus"
    assert {p.name for p in binaries.programs("istio")} - {p.name for p in binaries.programs("gke")} == {"pilot-discovery"}


def test_the_api_server_names_the_version_that_is_pinned() -> None:
    assert f"k8s.io/kubernetes {binaries.KUBERNETES}" in (binaries.PARTS / "go.mod").read_text("utf-8")
