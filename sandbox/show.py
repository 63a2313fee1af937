"""What `rollout sandbox` prints."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sandbox import binaries, control
from sandbox.home import Home, SandboxError, State

OWN = [program for program in binaries.PROGRAMS if program.package.startswith("./")]
"""Programs of our own, which take seconds."""


class Progress(control.Listener):
    """Tells on stdout how `up` goes on; in a terminal with seconds that run."""

    def __init__(self) -> None:
        self._live = sys.stdout.isatty()
        self._heading = ""

    def says(self, sentence: str) -> None:
        """A line of its own."""
        _print(sentence)

    def builds(self, step: binaries.Step) -> None:
        """`  kube-apiserver   4 of 10   55 s`."""
        much = "; where Go's cache is empty this takes ten minutes or more" if step.of > len(OWN) else ""
        self._under(f"building the parts, once{much}")
        line = f"  {step.name:<26}{f'{step.number} of {step.of}':>8}{step.seconds:6.0f} s"
        if self._live:
            sys.stdout.write(f"\r{line}" + ("\n" if step.done else ""))
            sys.stdout.flush()
        elif step.done:
            _print(line)

    def ready(self, part: str, seconds: float) -> None:
        """`  etcd   0.3 s`."""
        self._under("starting")
        _print(f"  {part:<26}{seconds:6.1f} s")

    def _under(self, heading: str) -> None:
        if heading != self._heading:
            self._heading = heading
            _print(heading)


def up(home: Home, done: control.Up) -> None:
    """What is up, and where."""
    if done.repaired is None:
        _print(f"ready after {done.seconds:.1f} s")
    elif done.repaired:
        _print(f"repaired after {done.seconds:.1f} s; the sandbox is up")
    else:
        _print("the sandbox is up already, and all its parts are well: nothing to do")
    _print(*(f"  {name:<12}{url}" for name, url in addresses(done.state).items()))
    _print(f"export KUBECONFIG={home.kubeconfig}")


def status(state: State, parts: Sequence[Mapping[str, Any]]) -> None:
    """The parts as a table, and for each that is not well the end of its log."""
    _print(f"sandbox {state.id}, gateway {state.gateway}")
    for part in parts:
        seconds = "" if part["seconds"] is None else f"ready after {part['seconds']:.1f} s"
        pid = f"pid {part['pid']}" if part["pid"] else ""
        _print(f"  {part['part']:<26}{part['status']:<16}{part['ended'] or pid:<20}{seconds}".rstrip())
    _print(*(f"  {name:<12}{url}" for name, url in addresses(state).items()))


def problems(home: Home, parts: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence with the last log lines for each part that is not well."""
    from sandbox.starting import with_log

    return [with_log(home, part["part"], _sentence(part)) for part in parts if part["status"] not in control.FINE]


def interrupted(home: Home) -> str:
    """After Ctrl-C during `up`."""
    state = home.read()
    alive = state is not None and state.alive
    return "interrupted; the sandbox that was up goes on running" if alive else "interrupted; nothing of the sandbox is left"


def addresses(state: State) -> dict[str, str]:
    """What listens where, inside and outside alike."""
    ports = state.ports
    return {
        "API server": f"https://127.0.0.1:{ports.apiserver}",
        "gateway": f"http://127.0.0.1:{ports.gateway}",
        "Prometheus": f"http://127.0.0.1:{ports.prometheus}",
    }


def as_json(home: Home, state: State, parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`status --json`."""
    return {
        "up": True,
        "well": all(part["status"] in control.FINE for part in parts),
        "id": state.id,
        "gateway": state.gateway,
        "kubeconfig": str(home.kubeconfig),
        "supervisor": state.pid,
        "addresses": addresses(state),
        "parts": list(parts),
    }


def logs(home: Home, part: str, lines: int, follow: bool) -> Iterator[str]:
    """The last lines of a part's log, and then, if wanted, each that comes, without end.

    Raises:
        SandboxError: there is no such log.
    """
    file = home.log(part)
    known = sorted(path.stem for path in home.logs.glob("*.log"))
    if part not in known:
        which = f"those there are: {', '.join(known)}" if known else "there are none before the first rollout sandbox up"
        raise SandboxError(f"there is no log of {part!r}; {which}")
    with file.open("rb") as stream:
        stream.seek(0, 2)
        yield from home.tail(part, lines)
        while follow:
            if file.stat().st_size < stream.tell():
                stream.seek(0)
            yield from (line.decode("utf-8", "replace").rstrip("\n") for line in stream)
            time.sleep(0.2)


def _sentence(part: Mapping[str, Any]) -> str:
    name, what = part["part"], part["status"]
    if what == "crashed":
        return f"{name} has ended: {part['ended']}. rollout sandbox up starts it again"
    if what == "stopped":
        return f"{name} was stopped. rollout sandbox up starts it again"
    if what == "not answering":
        return f"{name} runs and does not answer"
    return f"{name} is not ready yet ({what})"


def _print(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
