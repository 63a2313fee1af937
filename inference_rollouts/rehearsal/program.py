"""Runs a Pulumi program under mocks, and records what it registers.

What is recorded stands in `recording`, what answers the program in `monitor`; what the engine would make of it in `engine`.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import json
import logging
import runpy
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pulumi

from inference_rollouts.rehearsal.monitor import Cloud, Recorder
from inference_rollouts.rehearsal.recording import Recording, Registration
from inference_rollouts.settings import PROJECT

__all__ = ["Recording", "Registration", "record", "run"]


def record(
    program: Callable[[], None],
    stack: str,
    config: Mapping[str, Any],
    at_the_end: Callable[[Recording], None] = lambda _: None,
    *,
    preview: bool = True,
    cloud: Cloud | None = None,
) -> Recording:
    """One run of a program.

    Args:
        program: what `__main__.py` does.
        stack: the stack's name.
        config: full keys (`inference-rollouts:services`) to values.
        at_the_end: called when everything is registered; the only place where hooks can be called.
        preview: as in `pulumi preview`, where computed outputs are unknown; else as in `pulumi up`.
        cloud: what answers look-ups; default: a cloud that is not there.

    Raises:
        pulumi.RunError: when the program refuses its config.
    """

    def inside() -> Recording:
        answers = cloud or Cloud()
        monitor = Recorder(at_the_end, answers)
        quiet = logging.getLogger(__name__)
        pulumi.runtime.set_all_config({key: _text(value) for key, value in config.items()})
        pulumi.runtime.set_mocks(
            answers, project=PROJECT, stack=stack, preview=preview, monitor=monitor, logger=quiet, organization="organization"
        )
        pulumi.runtime.test(program)()
        # Mocks register the stack's outputs before the program runs: what it exports is found here only.
        monitor.recording.exports = dict(getattr(pulumi.runtime.get_root_resource(), "outputs", {}))
        return monitor.recording

    # In a context of its own, or the second run would keep the first one's stack as the parent of all.
    with _event_loops():
        return contextvars.copy_context().run(inside)


@contextlib.contextmanager
def _event_loops() -> Iterator[None]:
    """Loops for one run, also in every thread in which the SDK asks the monitor.

    Those that it would make itself stay open, and Python complains about that on stderr when it ends.
    """
    loops: list[asyncio.AbstractEventLoop] = []

    def open_one() -> None:
        loops.append(asyncio.new_event_loop())
        asyncio.set_event_loop(loops[-1])

    open_one()
    with ThreadPoolExecutor(initializer=open_one) as threads:
        loops[0].set_default_executor(threads)
        try:
            yield
        finally:
            asyncio.set_event_loop(None)
    for loop in loops:
        loop.close()


def run(
    project: Path,
    stack: str,
    config: Mapping[str, Any],
    at_the_end: Callable[[Recording], None] = lambda _: None,
    *,
    preview: bool = True,
    cloud: Cloud | None = None,
) -> Recording:
    """One run of the project's real `__main__.py`; else as `record`.

    Args:
        project: the folder with Pulumi.yaml and `__main__.py`.
        stack, config, at_the_end, preview, cloud: see `record`.
    """

    def program() -> None:
        runpy.run_path(str(project / "__main__.py"), run_name="__main__")

    with _importable(project):
        return record(program, stack, config, at_the_end, preview=preview, cloud=cloud)


def _text(value: Any) -> str:
    """A config value as the engine passes it: objects as JSON text, scalars as text."""
    return json.dumps(value) if isinstance(value, dict | list | bool) else str(value)


@contextlib.contextmanager
def _importable(project: Path) -> Iterator[None]:
    sys.path.insert(0, str(project))
    try:
        yield
    finally:
        sys.path.remove(str(project))
