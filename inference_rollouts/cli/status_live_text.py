"""`rollout status --live` as text: for each object with weights wanted beside live, then what is ready and what checks say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from inference_rollouts.checks import Finding
from inference_rollouts.cli.status import Standing, bar, headline
from inference_rollouts.observe.live_status import LiveStatus, ServiceStatus, SplitStatus
from inference_rollouts.wording import duration

STYLES = {"pass": "green", "fail": "red", "unknown": "yellow"}


def blocks(standing: Standing, live: LiveStatus) -> Iterator[Text]:
    """A stack, line by line."""
    yield Text.assemble((standing.file.stack, "bold"), f"  {standing.file.path}")
    yield Text(f"  {live.access.said}, {live.at:%Y-%m-%d %H:%M:%SZ}", style="dim")
    services = {service.name: service for service in live.services}
    for change in standing.splits:
        service = services[change.place.service]
        yield Text.assemble("  ", (change.what, "bold"), f"  {headline(change)}")
        for split in service.splits:
            if split.adapter == change.place.adapter:
                yield from _split(split)
        yield from _checks(service.checks.get(change.place.adapter or "", ()))
        if change.place.adapter is None:
            yield from _readiness(service)
    if count := len(live.differences):
        yield Text(f"  ≠ {count} difference{'s' if count > 1 else ''} between file and cluster", style="bold red")


def _split(split: SplitStatus) -> Iterator[Text]:
    stage = "unknown" if split.stage is None else str(split.stage)
    verdict = ("as wanted", "green") if not split.differences else ("differs", "bold red")
    yield Text.assemble(f"    {split.at}: wanted {split.wanted.stage}, live {stage}  ", verdict)
    live = split.live or {}
    names = list(dict.fromkeys((*split.shown, *live)))
    width = max(len(name) for name in names)
    canary = split.target.backends.get(split.wanted.to or "", split.wanted.to)
    for name in names:
        wanted = _percent(split.shown.get(name))
        line = bar(name, live.get(name), width, canary=name == canary) if split.live is not None else Text(f"{name:<{width}}  ?")
        yield Text.assemble("      ", line, f"  wanted {wanted}")
    if split.write and split.seconds is not None:
        yield Text(f"      for {duration(split.seconds)}, by {split.write}", style="dim")
    if split.now:
        yield Text(f"      by rollout rollback --now from {split.now.origin}: {split.now.by}, {split.now.at}", style="yellow")
    for difference in split.differences:
        yield Text(f"      ≠ {difference.removeprefix(f'{split.at}: ')}", style="red")


def _percent(weight: int | None) -> str:
    return "none" if weight is None else f"{weight} %"


def _readiness(service: ServiceStatus) -> Iterator[Text]:
    passed = [finding for finding in service.readiness if not finding.blocks]
    yield Text(f"    ready: {len(passed)} of {len(service.readiness)}")
    for finding in service.readiness:
        if finding.blocks:
            yield _finding(finding, f"{finding.check}: {finding.seen} ({finding.at})")


def _checks(found: Sequence[Finding]) -> Iterator[Text]:
    if found:
        yield Text(f"    checks: {sum(not finding.blocks for finding in found)} of {len(found)} pass")
    for finding in found:
        yield _finding(finding, f"{finding.check}: {finding.seen}, wanted {finding.wanted}")


def _finding(finding: Finding, told: str) -> Text:
    return Text.assemble("      ", (f"{finding.verdict:<7}  ", STYLES[finding.verdict]), told)
