"""`rollout probe`: test requests to each canary of a stack, and the evidence of those that passed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from inference_rollouts import probed
from inference_rollouts.cli import probe_show as show
from inference_rollouts.cli.app import print_json
from inference_rollouts.cli.probe_given import Given, given
from inference_rollouts.cli.project import open_stack, plan_of
from inference_rollouts.cli.status import Standing
from inference_rollouts.cli.who import who
from inference_rollouts.errors import Problem, nearest, one_of, path_of
from inference_rollouts.observe import probe_evidence
from inference_rollouts.observe.access import Access, access_to
from inference_rollouts.observe.kubeconfig import NoConnection
from inference_rollouts.observe.live_status import no_answer
from inference_rollouts.observe.patch import NotWritten
from inference_rollouts.observe.probe import How, Probe
from inference_rollouts.observe.probe_before import NoAnswer
from inference_rollouts.observe.probe_door import by_url
from inference_rollouts.observe.probe_pods import ProbeCluster
from inference_rollouts.plan import ModelServiceArgs

__all__ = ["Asked", "given", "probe"]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the command line asks for.

    Attributes:
        given: where to send, with which credentials.
        requests, timeout, skip, evidence: as in observe.probe.How.
    """

    given: Given
    requests: int | None
    timeout: float
    skip: frozenset[str]
    evidence: bool


@dataclass
class Ended:
    """A probe that ended.

    Attributes:
        probe: the probe.
        evidence: what was written to the route; None for nothing.
        problem: why nothing was, although it passed.
    """

    probe: Probe
    evidence: probed.Evidence | None = None
    problem: str = ""

    @property
    def well(self) -> bool:
        """Whether it passed, and left its evidence where it was to."""
        return self.probe.passed and not self.problem


def probe(stack: str, name: str | None, asked: Asked, console: Console | None) -> None:
    """Probe one service, or all of a stack that can be; without a console as one JSON document.

    Raises:
        InputError: when the stack cannot be read, has nothing to probe, or its cluster gives no answer.
        typer.Exit: 3 when something did not pass, or its evidence could not be written.
    """
    file = open_stack(stack)
    standing = Standing(file, file.settings(), plan_of(file))
    services = _chosen(standing, name)
    try:
        access = access_to(standing.settings.cluster, standing.project)
    except NoConnection as e:
        raise file.placed([Problem("cluster", str(e))]) from None
    if asked.given.verify is False:
        _quietly_insecure()
    cluster = ProbeCluster(kubeconfig=access.kubeconfig, context=access.context)
    ended: list[Ended] = []
    try:
        for service in services:
            ended.append(_one(Probe(cluster, service, _how(service, standing, asked)), standing, access, console))
    finally:
        # Also where the cluster falls silent at the second service: what the first came to has its evidence written.
        if console is None and ended:
            at = {"stack": file.stack, "file": str(file.path), "cluster": access.said}
            print_json({**at, "services": [_shown(one) for one in ended]})
    if not all(one.well for one in ended):
        raise typer.Exit(3)


# --- what to probe ----------------------------------------------------------------------------------------------------


def _chosen(standing: Standing, name: str | None) -> list[ModelServiceArgs]:
    """The services whose canary stands and has a test header.

    Raises:
        InputError: when there is none, or not the one that was named.
    """
    services = {service.name: service for service in standing.plan.services}
    if name is not None and name not in services:
        told = f"there is no service {name}{nearest(name, services)}; allowed: {one_of(services)}"
        raise standing.file.placed([Problem("services", told)])
    named = list(services.values()) if name is None else [services[name]]
    found = [service for service in named if service.route.test]
    if not found:
        raise standing.file.placed(_lacking(standing, service) for service in named)
    return found


def _lacking(standing: Standing, service: ModelServiceArgs) -> Problem:
    """Why a service cannot be probed."""
    rollout = standing.settings.services[service.name].rollout
    if rollout is None:
        return Problem(
            path_of("services", service.name), "has no rollout, so there is no canary to probe; begin one (rollout start)"
        )
    path = path_of("services", service.name, "rollout")
    if rollout.test is None:
        return Problem(
            path, "has no test, so no header leads to the canary; add test: {header: x-canary, value: …}, and deploy it"
        )
    return Problem(
        f"{path}.stage", f"is {rollout.stage}, where there is no canary to probe; go to prepare first (rollout advance)"
    )


def _how(service: ModelServiceArgs, standing: Standing, asked: Asked) -> How:
    url = asked.given.url
    return How(
        door=by_url(url, service.route.hostnames) if url else None,
        requests=asked.requests,
        timeout=asked.timeout,
        headers=asked.given.headers,
        verify=asked.given.verify,
        skip=asked.skip,
        evidence=asked.evidence,
        project=standing.project,
    )


def _quietly_insecure() -> None:
    """Said once and loudly, not by a library at each request."""
    import urllib3

    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    sys.stderr.write(f"{show.INSECURE}\n")


# --- doing it ---------------------------------------------------------------------------------------------------------


def _one(probe: Probe, standing: Standing, access: Access, console: Console | None) -> Ended:
    if console:
        show.heading(probe, console)
        probe.tell = lambda found: show.finding(found, console)
        probe.opened = lambda door: show.opened(door, console)
    try:
        probe.run()
    except NoAnswer as e:
        raise standing.file.placed([Problem("cluster", no_answer(access, str(e)))]) from None
    ended = Ended(probe)
    if probe.passed and probe.how.evidence:
        _write(ended)
    _say(ended, standing, console)
    return ended


def _write(ended: Ended) -> None:
    """The evidence, on the live route."""
    probe = ended.probe
    assert probe.service.route.test, "a probe needs a test header"
    evidence = probed.Evidence(
        to=probe.canary,
        digest=probed.digest(probe.service.record, probe.canary),
        time=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        requests=len(probe.replies),
        by=who(),
    )
    try:
        probe_evidence.write(probe.cluster, probe.route, probe.service.route.test, evidence)
        ended.evidence = evidence
    except NotWritten as e:
        ended.problem = str(e)


# --- saying it --------------------------------------------------------------------------------------------------------


def _say(ended: Ended, standing: Standing, console: Console | None) -> None:
    probe = ended.probe
    if ended.problem:
        sys.stderr.write(f"service {probe.service.name}: the evidence is not written: {ended.problem}\n")
    if console is None:
        return
    console.print(Text(show.verdict(probe), style="green" if ended.well else "red"), soft_wrap=True)
    if ended.evidence:
        console.print(Text(show.written(probe)), soft_wrap=True)
        if probe.service.record.pools.stage == "prepare":
            console.print(Text(f"Next: rollout advance {standing.file.stack} {probe.service.name}"), soft_wrap=True)


def _shown(ended: Ended) -> dict[str, Any]:
    return show.document(ended.probe, ended.evidence, ended.problem)
