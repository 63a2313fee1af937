"""A live rehearsal on the screen: a line a move, and while one is under way what is being done. Plain lines in a pipe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from inference_rollouts.rehearsal.walk import RolloutOf
from sandbox.live.report import LiveRollout, Moved
from sandbox.traffic.split import percent
from sandbox.traffic.verdict import Share

COLUMNS = ("move", "version", "wanted", "observed", "95 % interval", "requests", "failed", "p50/p99 ms", "effect")
WIDTHS = (20, 0, 15, 9, 18, 9, 7, 12, 8)
"""Of the columns in a pipe; the versions' is as wide as their names."""

WIDE = 124
LEFT_OUT = ("95 % interval", "p50/p99 ms")
"""Columns of which a terminal needs so many for the whole table, and what a narrower one is not shown; the report has it."""


class Screen:
    """Where moves are shown as they are made.

    Args:
        console: where to write.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._table = Table.grid(padding=(0, 2))
        self._doing = Text(style="dim")
        self._live: Live | None = None
        self._widths = WIDTHS
        self._shown: list[int] = []

    @contextmanager
    def rollout(self, stack: str, rollout: RolloutOf) -> Iterator[None]:
        """The moves of one rollout."""
        what = f"service {rollout.service}" + (f", adapter {rollout.adapter}" if rollout.adapter else "")
        title = f"  {what}  {rollout.kind} rollout  {rollout.stable} → {rollout.canary}"
        self.console.print(Text.assemble("\n", (stack, "bold"), title), soft_wrap=True)
        names = max(len(name) for name in (COLUMNS[1], rollout.stable, rollout.canary))
        self._widths = (WIDTHS[0], names, *WIDTHS[2:])
        if not self.console.is_terminal:
            self._line(COLUMNS)
            yield
            return
        self._table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        self._shown = [i for i, name in enumerate(COLUMNS) if name not in LEFT_OUT or self.console.width >= WIDE]
        for i in self._shown:
            self._table.add_column(COLUMNS[i], no_wrap=i > 0)
        with Live(self._both(), console=self.console, refresh_per_second=4) as self._live:
            yield
        self._live = None

    def doing(self, what: str) -> None:
        """What is being done; only a terminal shows it."""
        self._doing = Text(f"… {what}", style="dim")
        if self._live:
            self._live.update(self._both())

    def moved(self, moved: Moved) -> None:
        """A move that was made, or that was refused or failed."""
        for cells in rows(moved):
            if self._live:
                self._table.add_row(*(cells[i] for i in self._shown))
                self._live.update(self._both())
            else:
                self._line(cells)

    def closing(self, rollout: LiveRollout) -> None:
        """What is said after the last move of a rollout."""
        if streams := rollout.streams:
            whole = f"{streams.finished} of {streams.finished + streams.failed}"
            self.console.print(f"streams of {streams.seconds:.0f} s under way meanwhile: {whole} finished", soft_wrap=True)
        for key, value in (rollout.fault or {}).items():
            for line in value if isinstance(value, list) else [_plain(value)]:
                self.console.print(Text(f"{key}: {line}"), soft_wrap=True)
        self.console.print(f"{rollout.requests:,} requests, {rollout.failed:,} failed", soft_wrap=True)

    def _both(self) -> Table:
        both = Table.grid()
        both.add_row(self._table)
        both.add_row(self._doing)
        return both

    def _line(self, cells: tuple[str, ...]) -> None:
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, self._widths, strict=True)).rstrip()
        self.console.print(Text(line), soft_wrap=True)


def _plain(value: Any) -> str:
    """As a person writes it."""
    if value is None:
        return "nothing to measure"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key} {number}" for key, number in value.items()) or "none"
    return str(value)


def rows(moved: Moved) -> Iterator[tuple[str, ...]]:
    """A line for each version that has a wanted share; what went wrong follows in lines of its own."""
    name = f"{moved.origin} → {moved.to}"
    counted = moved.after or moved.during
    latency = f"{counted.p50:.0f}/{counted.p99:.0f}" if counted else ""
    effect = moved.seconds.get("effect")
    faulty = f" +{moved.faulty.failed:,} to the fault" if moved.faulty and moved.faulty.failed else ""
    figures = (f"{moved.requests:,}", f"{moved.failed:,}{faulty}", latency, "" if effect is None else f"{effect:.2f} s")
    for i, share in enumerate(moved.shares):
        mark = {"pass": "", "fail": "  WRONG", "unknown": "  too few"}[share.verdict]
        yield (name if i == 0 else "", *_share(share, mark), *(figures if i == 0 else ("",) * 4))
    if not moved.shares:
        yield (name, "", "", "", "", *figures)
    for sentence in moved.wrong:
        yield (f"  {sentence}", *("",) * 8)


def _share(share: Share, mark: str) -> tuple[str, ...]:
    return (share.version, share.allowed, percent(share.observed) + mark, str(share.interval))
