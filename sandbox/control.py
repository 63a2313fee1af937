"""`rollout sandbox`: bring the sandbox up, take it down, say how it is, break and mend single parts.

`python -m sandbox.control VERB [PART] [--signal N]` does the same without the command, for scripts that break parts on purpose.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from sandbox import binaries, namespaces, process, starting, talk
from sandbox.home import Gateways, Home, SandboxError, State, gone

FINE = ("ready", "done")


class Listener:
    """What `up` and `down` tell on their way; this one listens to nothing."""

    def says(self, sentence: str) -> None:
        """Something worth knowing."""

    def builds(self, step: binaries.Step) -> None:
        """A program is being built, or is built."""

    def ready(self, part: str, seconds: float) -> None:
        """A part has become ready, so many seconds after its start."""


@dataclass(frozen=True)
class Up:
    """What `up` did.

    Attributes:
        state: of the sandbox that is up.
        repaired: the parts that were down and run again; None: the sandbox is new.
        seconds: until all parts were ready, without the builds.
    """

    state: State
    repaired: list[str] | None
    seconds: float


def up(home: Home, gateway: Gateways = "gke", told: Listener | None = None) -> Up:
    """Bring the sandbox up, or repair the one that is.

    Raises:
        SandboxError: it cannot be brought up; then nothing of it runs any more. Its logs stay.
        KeyboardInterrupt: by Ctrl-C or SIGTERM; then nothing is left at all.
    """
    told = told or Listener()
    with _alone(home, told.says), _interruptible():
        state = home.read()
        if state and state.alive:
            return _repair(home, state, gateway, told)
        if state:
            told.says(gone(state))
        # What would fail anyhow fails before minutes of building.
        starting.refuse_a_folder_of_others(home)
        namespaces.command()
        starting.programs(gateway)
        binaries.build(binaries.programs(gateway), told.builds)
        began = time.monotonic()
        state = starting.start(home, gateway, told.ready)
        return Up(state, None, time.monotonic() - began)


def down(home: Home, told: Listener | None = None) -> bool:
    """End the sandbox and remove its data; logs stay until the next `up`. False when there was nothing to do."""
    with _alone(home, (told or Listener()).says):
        state = home.read()
        if state and state.alive:
            starting.end(home, state)
        return starting.clear(home)


def status(home: Home) -> list[dict[str, Any]]:
    """Every part: `part`, `status` (one of life.Status), `pid` as seen from outside, `seconds`, `ended`.

    Raises:
        SandboxError: the sandbox is not up.
    """
    inside = process.children(home.running().pid)
    return [part | {"pid": inside.get(part["pid"])} for part in talk.ask(home, "status")]


def stop(home: Home, part: str, number: int = signal.SIGTERM) -> dict[str, Any]:
    """End one part, by any signal, and leave it down."""
    return talk.ask(home, "stop", part=part, signal=int(number))


def start(home: Home, part: str) -> dict[str, Any]:
    """Start one part that is down, and wait until it is ready or has failed."""
    return talk.ask(home, "start", part=part)


def restart(home: Home, part: str, number: int = signal.SIGTERM) -> dict[str, Any]:
    """End one part, by any signal, and start it again."""
    return talk.ask(home, "restart", part=part, signal=int(number))


def _repair(home: Home, state: State, gateway: Gateways, told: Listener) -> Up:
    if gateway != state.gateway:
        raise SandboxError(f"the sandbox is up with --gateway {state.gateway}; for {gateway}, first: rollout sandbox down")
    began = time.monotonic()
    repaired = talk.ask(home, "repair")
    for name in repaired:
        told.says(f"{name} was down: starting it again")

    def ready(part: str, seconds: float) -> None:
        if part in repaired:
            told.ready(part, seconds)

    stuck = starting.wait(home, ready)
    for name in stuck:
        told.says(f"{name} runs and does not answer: starting it again")
        restart(home, name)
    if stuck and (still := starting.wait(home, ready)):
        raise SandboxError(starting.with_log(home, still[0], f"{still[0]} runs and does not answer"))
    return Up(state, [*repaired, *stuck], time.monotonic() - began)


@contextlib.contextmanager
def _alone(home: Home, says: Callable[[str], None]) -> Iterator[None]:
    """Nobody else brings this sandbox up or down at the same time."""
    home.lock.parent.mkdir(parents=True, exist_ok=True)
    with home.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            says("another rollout sandbox is bringing this one up or down: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP clean up as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    former = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def main() -> None:
    """Do as `rollout sandbox VERB`, and print what came of it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.control")
    parser.add_argument("verb", choices=["up", "down", "status", "start", "stop", "restart"])
    parser.add_argument("part", nargs="?")
    parser.add_argument("--gateway", choices=["gke", "istio"], default="gke")
    parser.add_argument("--signal", type=int, default=int(signal.SIGTERM))
    args = parser.parse_args()
    home = Home.default()
    verbs: dict[str, Callable[[], Any]] = {
        "up": lambda: asdict(up(home, args.gateway)),
        "down": lambda: down(home),
        "status": lambda: status(home),
        "start": lambda: start(home, args.part),
        "stop": lambda: stop(home, args.part, args.signal),
        "restart": lambda: restart(home, args.part, args.signal),
    }
    try:
        sys.stdout.write(json.dumps(verbs[args.verb](), indent=2) + "\n")
    except SandboxError as e:
        sys.exit(str(e))


if __name__ == "__main__":
    main()
