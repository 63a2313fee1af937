"""How `rollout probe` shows what it finds: line by line as it goes, and as one document for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from inference_rollouts import probed
from inference_rollouts.checks import Finding
from inference_rollouts.cli.status_live_text import STYLES
from inference_rollouts.observe.probe import Probe
from inference_rollouts.observe.probe_door import Door
from inference_rollouts.observe.probe_times import percentiles

INSECURE = "--insecure: the certificate is not verified, so anybody on the way may have answered, and has seen what was sent"


def heading(probe: Probe, console: Console) -> None:
    """Whose canary it is."""
    test = probe.service.route.test
    assert test, "a probe needs a test header"
    told = f"probe of {probe.canary} by {test.name}: {test.value}"
    console.print(Text.assemble((f"service {probe.service.name}", "bold"), f"  {told}"), soft_wrap=True)


def opened(door: Door, console: Console) -> None:
    """Where it is sent."""
    host = f", Host {door.name}" if door.name else ""
    console.print(Text(f"  to {door.url} ({door.at}{host})", style="dim"), soft_wrap=True)


def finding(found: Finding, console: Console) -> None:
    """One line: what was seen; where it did not pass, the whole sentence."""
    told = f"{found.check}: {found.seen}" if found.verdict == "pass" else found.sentence
    console.print(Text.assemble("  ", (f"{found.verdict:<7}  ", STYLES[found.verdict]), told), soft_wrap=True)


def verdict(probe: Probe) -> str:
    """The end, in a sentence."""
    what = f"service {probe.service.name}"
    count = len(probe.replies)
    if probe.passed:
        return f"{what}: passed, with {count} requests"
    blocked = sum(found.blocks for found in probe.findings)
    sent = f"{count} request{'s were' if count > 1 else ' was'} sent" if count else "nothing was sent"
    return f"{what}: {blocked} of {len(probe.findings)} did not pass; {sent}"


def written(probe: Probe) -> str:
    """Where the evidence is."""
    return f"evidence written to {probe.at} (annotation {probed.PROBE_ANNOTATION})"


def document(probe: Probe, evidence: probed.Evidence | None, problem: str) -> dict[str, Any]:
    """A probe as plain JSON values; seconds for times.

    Args:
        probe: as it ended.
        evidence: what was written; None for nothing.
        problem: why nothing was written although it passed; empty for none.
    """
    door = probe.door
    return {
        "service": probe.service.name,
        "canary": probe.canary,
        "route": probe.at,
        "to": {"url": door.url, "host": door.name or None, "at": door.at} if door else None,
        "verified": None if door is None or door.scheme == "http" else probe.how.verify is not False,
        "passed": probe.passed,
        "requests": len(probe.replies),
        "warmUp": {"requests": len(probe.warm), "seconds": percentiles(probe.warm)},
        "findings": [
            {key: value for key, value in asdict(found).items() if value or key != "advice"} for found in probe.findings
        ],
        "evidence": asdict(evidence) if evidence else None,
        "evidenceProblem": problem or None,
    }
