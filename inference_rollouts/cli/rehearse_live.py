"""`rollout rehearse --live`: the rollouts of stacks on the sandbox, under traffic."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from inference_rollouts.cli.project import find_project, stack_path
from inference_rollouts.errors import InputError, Problem, one_of
from inference_rollouts.settings.stack_file import StackFile


@dataclass(frozen=True)
class How:
    """What was asked for.

    Attributes:
        requests: least requests after each move.
        rate: requests a second; 0 for as many as are answered.
        whole: back from every stage, too.
        fault: what goes wrong; None for nothing.
        report: file for the JSON report; None for the sandbox's own folder.
    """

    requests: int
    rate: float
    whole: bool
    fault: str | None
    report: Path | None


def rehearse(stacks: list[str], files: list[StackFile], how: How, console: Console | None) -> tuple[list[dict], bool]:
    """Rehearse each stack; its reports, and whether all of them are clean.

    Args:
        stacks: as they were named.
        files: their files.
        how: see there.
        console: where it is shown; None shows nothing.

    Raises:
        InputError: no such fault, or the sandbox is not up or does not do what it should.
    """
    from sandbox.home import Home, SandboxError
    from sandbox.live.faults import FAULTS
    from sandbox.live.rehearse import Live, Options
    from sandbox.live.show import Screen

    if how.fault is not None and how.fault not in FAULTS:
        raise InputError([Problem("--fault", f"{how.fault} is no fault; there is {one_of(list(FAULTS))}")])
    options = Options(requests=how.requests, rate=how.rate, whole=how.whole, fault=how.fault)
    screen = Screen(console or Console(quiet=True))
    home, project = Home.default(), find_project().folder
    reports = []
    try:
        for name, file in zip(stacks, files, strict=True):
            report = Live(home, project, stack_path(name).resolve(), file, options, screen).run()
            path = how.report or home.root / "reports" / f"{file.stack}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(report.to_json(), indent=2, ensure_ascii=False) + "\n", "utf-8")
            screen.console.print(f"report: {path}", soft_wrap=True, highlight=False)
            screen.console.print(report.verdict, soft_wrap=True, highlight=False, markup=False)
            reports.append(report)
    except SandboxError as e:
        raise InputError([Problem("", str(e))]) from None
    return [report.to_json() for report in reports], all(report.clean for report in reports)
