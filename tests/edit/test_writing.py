"""A write that is stopped anywhere leaves the old file or the new one, and never overwrites what somebody else wrote."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from inference_rollouts.edit import writing
from inference_rollouts.edit.writing import replace_file
from inference_rollouts.errors import InputError
from tests.conftest import ROOT

OLD, NEW = b"stage: prepare\n", b"stage: 1\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "Pulumi.prod.yaml"
    path.write_bytes(OLD)
    return path


def refusal(path: Path, old: bytes = OLD) -> str:
    with pytest.raises(InputError) as caught:
        replace_file(path, old, NEW)
    return str(caught.value).removeprefix(f"{path}: ")


def alone(path: Path) -> bool:
    return os.listdir(path.parent) == [path.name]


def test_the_file_is_replaced_and_nothing_is_left_beside_it(file):
    replace_file(file, OLD, NEW)

    assert file.read_bytes() == NEW
    assert alone(file)


def test_the_mode_of_the_file_is_kept(file):
    file.chmod(0o640)
    replace_file(file, OLD, NEW)

    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_link_stays_a_link_and_the_file_behind_it_is_replaced(file, tmp_path):
    link = tmp_path / "elsewhere" / "Pulumi.link.yaml"
    link.parent.mkdir()
    link.symlink_to(file)
    replace_file(link, OLD, NEW)

    assert link.is_symlink()
    assert file.read_bytes() == NEW


STEPS = ("tempfile.mkstemp", "os.fdopen", "os.fchmod", "os.fsync", "os.replace", "Path.read_bytes")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, MemoryError])
def test_a_writer_that_is_stopped_at_any_step_leaves_the_old_file_alone(file, step, stop, monkeypatch):
    def stopped(*_args: object, **_more: object) -> None:
        raise stop

    monkeypatch.setattr(f"inference_rollouts.edit.writing.{step}", stopped)
    with pytest.raises(stop):
        replace_file(file, OLD, NEW)
    monkeypatch.undo()

    assert file.read_bytes() == OLD
    assert [name for name in os.listdir(file.parent) if name.endswith(".yaml")] == [file.name]


@pytest.mark.parametrize("step", STEPS)
def test_a_system_that_refuses_a_step_is_said_in_words_and_the_old_file_stays(file, step, monkeypatch):
    def full(*_args: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"inference_rollouts.edit.writing.{step}", full)
    said = refusal(file)
    monkeypatch.undo()

    assert said == "cannot be written: No space left on device; the file is as it was"
    assert file.read_bytes() == OLD
    assert alone(file)


def test_a_writer_that_is_stopped_after_the_rename_leaves_the_new_file(file, monkeypatch):
    def stopped(_folder: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(writing, "_settle", stopped)
    with pytest.raises(KeyboardInterrupt):
        replace_file(file, OLD, NEW)

    assert file.read_bytes() == NEW


def test_a_file_that_somebody_else_changed_is_not_overwritten(file):
    file.write_bytes(b"stage: 50\n")

    assert refusal(file) == "was changed by somebody else since it was read; nothing was written; look at it and try again"
    assert file.read_bytes() == b"stage: 50\n"
    assert alone(file)


def test_a_file_that_is_gone_is_not_written_anew(file):
    file.unlink()

    assert "cannot be written" in refusal(file)
    assert os.listdir(file.parent) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything")
def test_a_read_only_file_is_refused(file):
    file.chmod(0o444)

    assert refusal(file) == "cannot be written: it is read-only; the file is as it was"


def test_a_writer_that_is_killed_again_and_again_leaves_one_whole_file(file):
    """SIGKILL cannot be caught: the writer writes without a pause, and is killed at a moment that nobody chose."""
    versions = [b"a" * 200_000 + b"\n", b"b" * 300_000 + b"\n"]
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        from inference_rollouts.edit.writing import replace_file
        path, versions = Path(sys.argv[1]), [b"a" * 200_000 + b"\\n", b"b" * 300_000 + b"\\n"]
        print("ready", flush=True)
        while True:
            replace_file(path, versions[0], versions[1])
            replace_file(path, versions[1], versions[0])
    """)
    for pause in (0.0, 0.003, 0.011, 0.02, 0.031):
        file.write_bytes(versions[0])
        writer = subprocess.Popen([sys.executable, "-c", program, str(file)], stdout=subprocess.PIPE, cwd=ROOT)
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(pause)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        assert file.read_bytes() in versions
