"""A sandbox for the tests of this folder, apart from the one that a user may have up."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import control
from sandbox.home import Home


@pytest.fixture
def home() -> Iterator[Home]:
    """A home of its own; nothing runs in it afterwards, whatever the test did."""
    with tempfile.TemporaryDirectory(prefix="sandbox-") as folder:
        own = Home(Path(folder) / "home")
        yield own
        control.down(own)


@pytest.fixture(scope="session")
def session_home() -> Iterator[Home]:
    """The sandbox of `shared_home`, for fixtures that outlive a test; a test that failed may have left a part of it down."""
    with tempfile.TemporaryDirectory(prefix="sandbox-") as folder:
        own = Home(Path(folder) / "home")
        control.up(own)
        yield own
        control.down(own)


@pytest.fixture
def shared_home(session_home: Home) -> Home:
    """A sandbox that is up, for all tests that leave it as they found it; what one that failed has left down is repaired."""
    control.up(session_home)
    return session_home


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A test that passed at its second try failed at its first: what it said then is said, too."""
    for report in terminalreporter.stats.get("rerun", ()):
        terminalreporter.section(f"tried again: {report.nodeid}")
        terminalreporter.write_line(report.longreprtext)
