"""How long a weight takes to act when the package writes it, as a ratio to a plain `kubectl apply` of the same HTTPRoute.

    venv/bin/rollout sandbox up && venv/bin/python benchmarks/apply_to_effect.py [--pairs 10] [--json]

On the sandbox, under traffic, in turn: the package moves the example from 50 to 100 and back, then kubectl applies the very
manifests that it wrote. Of each the time from the beginning of the write until requests go by the new weights; for the package
also from the beginning of the update, which runs the program and, for a raise, asks the cluster.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

from inference_rollouts.rehearsal.walk import Rehearsal, RolloutOf, at
from inference_rollouts.settings.stack_file import read
from sandbox.home import Home
from sandbox.live.rehearse import Live, Options
from sandbox.live.show import Screen
from sandbox.traffic.effect import ratio, took_effect
from sandbox.traffic.load import Load

ROOT = Path(__file__).resolve().parents[1]
STACK = ROOT / "stacks" / "Pulumi.node-update.yaml"
RATE = 200.0
LOWER, UPPER = 50, 100
EFFECT_TIMEOUT = 30.0


@dataclass
class Times:
    """Seconds of each pair: by the package from its write, and from its update; by kubectl from its write."""

    write: list[float] = field(default_factory=list)
    update: list[float] = field(default_factory=list)
    kubectl: list[float] = field(default_factory=list)


@dataclass
class Bench:
    """A service on the sandbox that stands at 50, and its traffic."""

    live: Live
    rollout: RolloutOf
    load: Load

    def pairs(self, number: int) -> Times:
        """Each pair: up and down by the package, then up and down by kubectl."""
        times = Times()
        for _ in range(number):
            for origin, to in ((LOWER, UPPER), (UPPER, LOWER)):
                write, update = self.by_the_package(origin, to)
                times.write.append(write)
                times.update.append(update)
            for origin, to in ((LOWER, UPPER), (UPPER, LOWER)):
                times.kubectl.append(self.by_kubectl(origin, to))
        return times

    def by_the_package(self, origin: int, to: int) -> tuple[float, float]:
        """Seconds from the write, and from the update's beginning."""

        def up() -> float:
            applied = self.live.deployer.up(self.config(to))
            written = applied.began_writing("HTTPRoute")
            if not applied.done or written is None:
                raise SystemExit(f"{origin} to {to}: {applied.error or applied.preview.refusals}")
            return written

        return self.measure(origin, to, up)

    def by_kubectl(self, origin: int, to: int) -> float:
        """Seconds from the beginning of `kubectl apply`."""
        manifest = json.dumps(self.route(to))

        def apply() -> float:
            began = time.time()
            self.live.deployer.kubectl.run("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifest)
            return began

        return self.measure(origin, to, apply)[0]

    def measure(self, origin: int, to: int, write: Callable[[], float]) -> tuple[float, float]:
        """Seconds until the effect, from what `write` says and from its call."""
        phase = self.load.mark(f"{origin} → {to}")
        called = time.time()
        written = write()
        deadline = time.time() + EFFECT_TIMEOUT
        while time.time() < deadline:
            counts = self.load.counts()
            found = counts.timeline and took_effect(counts.timeline, self.rollout.canary, origin / 100, to / 100)
            if found:
                effect = phase.since + found.at
                # A bin of the timeline is the finest that can be told.
                least = counts.timeline.width if counts.timeline else 0.0
                return max(effect - written, least), max(effect - called, least)
            time.sleep(0.1)
        raise SystemExit(f"{origin} to {to}: no effect within {EFFECT_TIMEOUT:g} s")

    def config(self, stage: int) -> Mapping[str, Any]:
        """The stack at a stage."""
        return at(self.live.config, self.rollout, stage)

    def route(self, stage: int) -> Mapping[str, Any]:
        """The HTTPRoute that the package writes at a stage."""
        recording = Rehearsal(ROOT, self.live.file.stack, self.live.config).recorded(self.rollout, stage)
        return next(r.inputs for r in recording.resources.values() if r.type.endswith(":HTTPRoute"))


@contextmanager
def bench(home: Home) -> Iterator[Bench]:
    """The example on the sandbox of a home, at 50, under traffic; gone afterwards."""
    file = read(STACK)
    rollout = Rehearsal(ROOT, file.stack, file.config).rollouts()[0]
    live = Live(home, ROOT, STACK, file, Options(rate=RATE, streams=0), Screen(Console(file=StringIO())))
    with live.created(rollout) as (load, _):
        conductor = live.conductor(rollout, load)
        ladder = rollout.ladder
        for moved in conductor.perform(ladder[: ladder.index(LOWER) + 1]):
            if moved.wrong:
                raise SystemExit("; ".join(moved.wrong))
        yield Bench(live, rollout, load)


def main() -> int:
    """Measure and say it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with bench(Home.default()) as made:
        times = made.pairs(asked.pairs)
    write, update = ratio(times.write, times.kubectl), ratio(times.update, times.kubectl)
    if asked.json:
        figures = {"write": vars(write), "update": vars(update), "seconds": vars(times)}
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
        return 0
    for name, found in (("from the write", write), ("from the update's beginning", update)):
        sys.stdout.write(f"{name}, to kubectl apply of the same route: {found.sentence}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
