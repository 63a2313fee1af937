"""Running the load tool: phases in, counts out."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, TypeVar

from sandbox import enter
from sandbox.home import Home, SandboxError
from sandbox.traffic.counts import PhaseCount, Traffic
from sandbox.traffic.requests import Requests

T = TypeVar("T")

ANSWER = 10.0
"""Seconds within which the tool answers a command, also on a busy machine."""


class Load:
    """Traffic that flows from `with` on until `stop`, or until the `with` ends: then at once. Any thread may ask it.

    Attributes:
        requests: what it sends.
    """

    def __init__(
        self,
        requests: Requests,
        *,
        home: Home | None = None,
        program: Path | None = None,
        allow: Sequence[str] | None = None,
        every: float = 0.5,
    ) -> None:
        """Nothing is sent before the `with`.

        Args:
            requests: what to send.
            home: of the sandbox in whose network it is sent; without one, in the caller's.
            program: the load tool; default: the sandbox's.
            allow: versions that may answer in the first phase, which is called "start"; default: all.
            every: seconds between reports.
        """
        if program is None and home is None:
            raise ValueError("either the sandbox's home or the load tool's path")
        self.requests = requests
        self._home, self._program = home, program or (home or Home.default()).bin / "load"
        self._first = [] if allow is None else [f"-allow={','.join(self._known(allow))}"]
        self._every = every
        self._changed = threading.Condition()
        self._asking = threading.Lock()
        self._latest: PhaseCount | None = None
        self._answers: list[PhaseCount] = []
        self._phases: list[PhaseCount] = []
        self._unfinished: set[float] = set()  # by when they began
        self._whole: PhaseCount | None = None
        self._closed = False
        self._unread = ""

    # --- life ---------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        argv = [str(self._program), *self.requests.arguments(), *self._first, f"-every={self._every:g}s", "-control"]
        self._stderr = tempfile.TemporaryFile()
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._stderr}
        self._process = enter.start_inside(self._home, argv, **pipes) if self._home else subprocess.Popen(argv, **pipes)
        assert self._process.stdin
        assert self._process.stdout
        self._commands: IO[bytes] = self._process.stdin
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()
        try:
            self._wait(lambda: self._latest, ANSWER, "it has not begun")
        except SandboxError:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._commands.close()  # the end of its commands ends the tool, also where nsenter stands between
        try:
            self._process.wait(ANSWER)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(ANSWER)
        self._stderr.close()

    def stop(self) -> Traffic:
        """Send nothing new, wait for what is under way (at most `requests.drain` seconds), and return everything."""
        if self._process.poll() is None:
            self._tell(stop=True)
        return self.result(self.requests.drain + ANSWER)

    def result(self, timeout: float) -> Traffic:
        """Wait until it ends by itself (`requests.most`, `requests.seconds`), at most `timeout` seconds; return everything."""
        whole = self._wait(lambda: self._whole, timeout, "it has not ended")
        return Traffic(tuple(self._phases), whole)

    # --- phases -------------------------------------------------------------------------------------------------------

    def mark(self, phase: str, *, allow: Sequence[str] | None = None) -> PhaseCount:
        """Begin a phase. When this returns, it has begun: `since` is the moment, and what is sent from then on counts from 0.

        A request is judged by the phase in which it was *sent*. So the phase in which both versions may answer is marked
        before the route changes, and the one in which the old one may not when the change has taken effect.

        Args:
            phase: its name.
            allow: versions that may answer; default: all.
        """
        told: dict[str, Any] = {"phase": phase} | ({} if allow is None else {"allow": self._known(allow)})
        return self._ask(told, f"phase {phase} has not begun")

    def counts(self) -> PhaseCount:
        """The present phase's counts at this moment, with its timeline."""
        return self._ask({"timeline": True}, "it does not report")

    @property
    def latest(self) -> PhaseCount:
        """The last counts that were reported, at most `every` seconds old; no timeline."""
        with self._changed:
            latest = self._phases[-1] if self._whole else self._latest
            assert latest
            return latest

    def wait_for(self, requests: int, timeout: float) -> PhaseCount:
        """Wait until the present phase has this many finished requests, and return its counts.

        Raises:
            SandboxError: not in time, or the tool has ended.
        """
        return self._reach(lambda now: now.ok + now.failed, requests, timeout, "finished")

    def sample(self, phase: str, requests: int, timeout: float, *, allow: Sequence[str] | None = None) -> PhaseCount:
        """A complete phase: at least this many requests, each of them finished. What a split is judged by.

        Of requests that are still under way more belong to the slower version. To count those that are finished *by now* would
        give the faster one more than its share.

        Args:
            phase: its name; the phase after it, which begins when enough is sent, is called "after" and this name.
            requests: how many, at least.
            timeout: seconds to send them, and again to finish them.
            allow: versions that may answer, in both phases; default: all.

        Raises:
            SandboxError: not in time, or the tool has ended.
        """
        begun = self.mark(phase, allow=allow)
        self._reach(lambda now: now.requests, requests, timeout, "sent")
        self.mark(f"after {phase}", allow=allow)
        return self._wait(
            lambda: next((found for found in self._phases if found.since == begun.since), None),
            timeout,
            f"the last requests of phase {phase} are not finished after {timeout:g} s",
        )

    def let_end(self, timeout: float) -> None:
        """Wait until all that is under way has ended. A phase begins; what it sends is not waited for.

        Raises:
            SandboxError: not in time, or the tool has ended.
        """
        before = self.latest
        begun = self.mark(f"after {before.name}")
        self._wait(
            lambda: None if self._unfinished - {begun.since} else begun,
            timeout,
            f"the requests of phase {before.name} are not finished after {timeout:g} s",
        )

    def _reach(self, count: Callable[[PhaseCount], int], wanted: int, timeout: float, done: str) -> PhaseCount:
        def enough() -> PhaseCount | None:
            now = self.latest
            return now if count(now) >= wanted else None

        try:
            return self._wait(enough, timeout, "")
        except SandboxError:
            now = self.latest
            state = "and nothing is sent any more" if self._closed else f"{now.in_flight} are under way"
            raise SandboxError(
                f"traffic: {count(now)} of {wanted} requests of phase {now.name} were {done} within {timeout:g} s, {state}; "
                "give it more time, or a higher rate"
            ) from None

    # --- talking to the tool ------------------------------------------------------------------------------------------

    def _known(self, allow: Sequence[str]) -> list[str]:
        if unknown := [name for name in allow if name not in self.requests.versions]:
            raise ValueError(f"no header value stands for {', '.join(unknown)}: all replies would be wrong")
        return list(allow)

    def _ask(self, command: dict[str, Any], otherwise: str) -> PhaseCount:
        with self._asking:
            self._answers.clear()
            self._tell(**command)
            return self._wait(lambda: self._answers[0] if self._answers else None, ANSWER, otherwise)

    def _tell(self, **command: Any) -> None:
        try:
            self._commands.write(json.dumps(command).encode() + b"\n")
            self._commands.flush()
        except (BrokenPipeError, ValueError):
            raise SandboxError(self._why("it has ended")) from None

    def _wait(self, seen: Callable[[], T | None], timeout: float, otherwise: str) -> T:
        with self._changed:
            self._changed.wait_for(lambda: seen() is not None or self._closed, timeout)
            if (found := seen()) is None:
                raise SandboxError(self._why(otherwise))
            return found

    def _why(self, problem: str) -> str:
        self._stderr.seek(0)
        said = " ".join(self._stderr.read()[-500:].decode(errors="replace").split())
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1 if self._closed else 0)
        code = self._process.returncode
        state = "it still runs" if code is None else f"it ended with exit code {code}"
        return f"traffic: {problem}; {state}{self._unread}" + (f"; it said: {said}" if said else "")

    def _read(self, output: IO[bytes]) -> None:
        try:
            for line in output:
                told = json.loads(line)
                count = PhaseCount.read(told)
                with self._changed:
                    self._take(told["event"], count)
                    self._changed.notify_all()
        except (ValueError, KeyError, TypeError) as e:  # said by whoever waits
            self._unread = f"; what it reported cannot be read ({type(e).__name__}: {e})"
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _take(self, event: str, count: PhaseCount) -> None:
        if event == "phase":
            self._phases.append(count)
            self._unfinished.discard(count.since)
        elif event == "end":
            self._whole = count
        else:
            # A report that was made before a mark may be written after it: it is of the phase before.
            if event != "progress" or self._latest is None or count.since == self._latest.since:
                self._latest = count
                self._unfinished.add(count.since)
            if event == "marked" or count.timeline is not None:
                self._answers.append(count)
