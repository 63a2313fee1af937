"""Every ladder of the examples, up and back from every stage, until at least so many requests were sent: `make soak`.

python -m sandbox.live.soak [--requests 1000000] [--output docs/soak.md] [--faults]
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from inference_rollouts.errors import InputError
from inference_rollouts.rehearsal.walk import Rehearsal, RolloutOf
from inference_rollouts.settings.stack_file import read
from sandbox.home import Home, SandboxError
from sandbox.live.faults import FAULTS
from sandbox.live.rehearse import Live, Options, machine, story
from sandbox.live.report import LiveReport
from sandbox.live.show import Screen
from sandbox.live.soak_page import page

EXAMPLES = ("node-update", "base-model", "lora-adapter")
FAULTY = "node-update"
"""The example that meets the faults."""

FAULTY_STEPS = "steps: [10, 50, 100]"

ONCE_MORE = 8
"""About as many moves as go once up the first example."""


@dataclass(frozen=True)
class Soak:
    """A whole soak.

    Attributes:
        home: of the sandbox.
        project: the folder with Pulumi.yaml.
        least: requests in all, at least.
        screen: where it is shown.
    """

    home: Home
    project: Path
    least: int
    screen: Screen

    def run(self) -> list[LiveReport]:
        """Every example; as many requests after each move as it takes to reach the number. Once more where that was too few."""
        moves = sum(len(story(rollout, Options(whole=True))) - 1 for rollout in self._rollouts())
        options = Options(requests=-(-self.least // moves), rate=0, whole=True)
        reports = [self._live(stack, options).run() for stack in EXAMPLES]
        # What is not clean does not become so by more requests, and a rollout that is refused would send none for ever.
        while (sent := sum(map(requests, reports))) < self.least and all(report.clean for report in reports):
            self.screen.console.print(f"{sent:,} requests so far; once more up {EXAMPLES[0]}", highlight=False)
            missing = replace(options, whole=False, requests=-(-(self.least - sent) // ONCE_MORE))
            reports.append(self._live(EXAMPLES[0], missing).run())
        return reports

    def faults(self) -> list[LiveReport]:
        """Every fault, one after the other, under a steady rate, on a ladder without the smallest rungs."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"Pulumi.{FAULTY}.yaml"
            text, found = re.subn(r"steps: \[[^]]*\]", FAULTY_STEPS, self._path(FAULTY).read_text("utf-8"))
            if not found:
                raise SandboxError(f"{self._path(FAULTY)} has no steps: [...] that could be shortened for the faults")
            path.write_text(text, "utf-8")
            options = Options(requests=400, rate=100)
            lives = [
                Live(self.home, self.project, path, read(path), replace(options, fault=name), self.screen) for name in FAULTS
            ]
            return [live.run() for live in lives]

    def _rollouts(self) -> Iterator[RolloutOf]:
        for stack in EXAMPLES:
            file = read(self._path(stack))
            yield from Rehearsal(self.project, file.stack, file.config).rollouts()

    def _live(self, stack: str, options: Options) -> Live:
        path = self._path(stack)
        return Live(self.home, self.project, path, read(path), options, self.screen)

    def _path(self, stack: str) -> Path:
        return self.project / "stacks" / f"Pulumi.{stack}.yaml"


def requests(report: LiveReport) -> int:
    """All requests of a report."""
    return sum(rollout.requests for rollout in report.rollouts)


def main() -> int:
    """Soak, write the page, and say the verdict; 3 when something was lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--requests", type=int, default=1_000_000, help="at least so many (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("docs/soak.md"), help="the page to write (default: %(default)s)")
    parser.add_argument("--project", type=Path, default=Path.cwd(), help="the folder with Pulumi.yaml (default: this one)")
    parser.add_argument("--faults", action="store_true", help="every fault, too")
    asked = parser.parse_args()
    began = datetime.now(UTC)
    try:
        soak = Soak(Home.default(), asked.project, asked.requests, Screen(Console(highlight=False, soft_wrap=True)))
        reports = soak.run()
        faults = soak.faults() if asked.faults else []
    except (SandboxError, InputError) as e:
        sys.stderr.write(f"{e}\n")
        return 1
    asked.output.write_text(page(reports, faults, machine(), f"{began:%Y-%m-%d}"), "utf-8")
    unclean = [f"{report.stack}: {report.verdict}" for report in reports + faults if not report.clean]
    if (sent := sum(map(requests, reports))) < asked.requests:
        unclean.append(f"not clean: {sent:,} requests were sent, {asked.requests:,} were wanted")
    sys.stdout.write("\n".join((str(asked.output), *(unclean or ["clean"]))) + "\n")
    return 3 if unclean else 0


if __name__ == "__main__":
    sys.exit(main())
