"""The probe of one canary: what has to stand before anything is sent, the requests, and who answered them.

Nothing is sent before the live route pins the test header to the canary at its current generation: without that a probe would
vouch for whatever answered. What cannot be told is unknown, and only a probe of which everything passes leaves evidence.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from inference_rollouts.checks import Finding
from inference_rollouts.observe import probe_before
from inference_rollouts.observe.from_plan import ready_target
from inference_rollouts.observe.probe_door import Door
from inference_rollouts.observe.probe_pods import ProbeCluster, read_pods
from inference_rollouts.observe.probe_route import Endpoint, Rule, Way, pinned, ways
from inference_rollouts.observe.probe_scraped import scraped
from inference_rollouts.observe.probe_send import Reply, Sender
from inference_rollouts.observe.probe_served import Canary
from inference_rollouts.observe.probe_shapes import KINDS, Judged, Shape, body, judge, judge_models
from inference_rollouts.observe.probe_times import as_text
from inference_rollouts.observe.splits import live_weights
from inference_rollouts.plan.values import ModelServiceArgs

AT_ONCE = 4
"""Requests under way at a time."""

ROUNDS = 4
"""Times that warm-up requests are sent at most, until every pod has had one."""

LEAST, PER_POD = 8, 4
"""Warm-up requests in a round, where the operator says no number: a least, and by Ready pod."""

ANSWERED = "all of them answered"


@dataclass(frozen=True, kw_only=True)
class How:
    """How to probe.

    Attributes:
        door: where to send; None for the Gateway's address.
        requests: warm-up requests in a round; None for LEAST, or PER_POD by pod.
        timeout: seconds for one whole answer.
        headers: sent with every request; their values are never shown.
        verify: whether TLS certificates are verified; a text is a file of CAs.
        skip: shapes, or models, that are not asked for.
        evidence: whether the probe is to leave evidence, which is about what the stack file says.
        project: the Google Cloud project, for its metrics.
    """

    door: Door | None = None
    requests: int | None = None
    timeout: float = 60.0
    headers: Mapping[str, str] = field(default_factory=dict)
    verify: bool | str = True
    skip: frozenset[str] = frozenset()
    evidence: bool = True
    project: str | None = None


@dataclass
class Probe:
    """One probe. `run` fills it.

    Attributes:
        cluster: where the canary stands.
        service: as in the plan; its rollout has `test`, and its canary stands.
        how: how to probe.
        tell: called with each finding as it is found.
        opened: called with the door, before anything is sent.
        findings: all of them.
        door: where it was sent; None where nothing was.
        route, rule: the live route and its test rule, as they were judged.
        replies: to generations, in no order.
        warm: those of them that are warm-up requests.
    """

    cluster: ProbeCluster
    service: ModelServiceArgs
    how: How
    tell: Callable[[Finding], None] = lambda _: None
    opened: Callable[[Door], None] = lambda _: None
    findings: list[Finding] = field(default_factory=list)
    door: Door | None = None
    route: Mapping[str, Any] = field(default_factory=dict)
    rule: Rule | None = None
    replies: list[Reply] = field(default_factory=list)
    warm: list[Reply] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._target = ready_target(self.service, self.service.record, ())
        self._numbers = itertools.count(secrets.randbelow(10**9))

    @property
    def canary(self) -> str:
        """The version that is probed."""
        return str(self.service.record.pools.to)

    @property
    def at(self) -> str:
        """The route's place."""
        return self._target.at("HTTPRoute", self._target.route.name)

    @property
    def passed(self) -> bool:
        """Whether something was asked, and everything passed."""
        return bool(self.replies) and not any(finding.blocks for finding in self.findings)

    def run(self) -> None:
        """The whole probe.

        Raises:
            NoAnswer: when the route cannot be read.
        """
        assert self.service.route.test, "a probe needs a test header"
        route, found = probe_before.read(self.cluster, self.service, self._target, evidence=self.how.evidence)
        self._found(*found)
        if route is None or self._failed:
            return
        self.route, (self.rule, _) = route, pinned(route, self.service.route.test, self.at)
        if self.rule is not None and self._open():
            self._send(*ways(route, self.rule, self.how.headers))

    def _found(self, *findings: Finding) -> None:
        for finding in findings:
            self.findings.append(finding)
            self.tell(finding)

    @property
    def _failed(self) -> bool:
        return any(finding.verdict == "fail" for finding in self.findings)

    def _open(self) -> bool:
        """Find out where to send."""
        door = self.how.door or probe_before.gateways(self.cluster, self.service)
        if isinstance(door, Finding):
            self._found(door)
            return False
        self.door = door
        self.opened(door)
        return True

    # --- the requests -------------------------------------------------------------------------------------------------

    def _send(self, found: Mapping[Endpoint, Way], closed: Mapping[Endpoint, str]) -> None:
        assert self.door, "it was opened"
        shapes = self._shapes(found)
        if not shapes:
            self._found(self._nothing(closed))
            return
        canary = self._canary()
        sender = Sender(self.door, self.how.headers, self.how.verify, self.how.timeout)
        asked: list[tuple[Shape, str]] = [(shape, name) for name in self._names() for shape in shapes]
        # The first goes alone: where the Gateway cannot be reached, the others would say so as well, and slowly.
        if self._asked(sender, found, asked[:1]) and self._asked(sender, found, asked[1:]) and self._models(sender, found):
            self._warm(sender, found, shapes[-1], canary)
        if not self._failed:
            self._found(*canary.findings(self.replies))

    def _canary(self) -> Canary:
        assert self.door, "it was opened"
        target, namespace = self._target.versions[0], self._target.namespace
        return Canary(
            cluster=self.cluster,
            namespace=namespace,
            selector=target.selector,
            pool=target.pool,
            weight=(live_weights(self.route) or {}).get(target.pool, 0),
            before=read_pods(self.cluster, namespace, target.selector),
            scraped=scraped(self.service, self.how.project),
            gateways=self.door.gateways,
            at=self.door.url,
        )

    def _shapes(self, found: Mapping[Endpoint, Way]) -> list[Shape]:
        return [shape for shape, kind in KINDS.items() if shape not in self.how.skip and kind.endpoint in found]

    def _names(self) -> list[str]:
        """Every name that clients send: the models, then the adapters."""
        models = [model for version in self.service.versions if version.server for model in version.server.models]
        return list(dict.fromkeys((*(models or (self.service.name,)), *self.service.record.adapters)))

    def _listed(self) -> tuple[str, ...]:
        """Every name that the canary's servers list: the models, then the adapter versions, which the picker rewrites to."""
        server = next((version.server for version in self.service.versions if version.name == self.canary), None)
        adapters = [adapter.name for adapter in server.adapters if adapter.routed] if server else []
        return tuple(dict.fromkeys((*(server.models if server else self._names()), *adapters)))

    def _nothing(self, closed: Mapping[Endpoint, str]) -> Finding:
        told = "; ".join(dict.fromkeys(closed.values())) or "all kinds of requests are skipped"
        advice = "see the route's matches and rules in the stack file" if closed else "leave a --skip out"
        return Finding("requests", "fail", f"nothing to send: {told}", "an endpoint of the OpenAI API", self.at, advice)

    def _asked(self, sender: Sender, found: Mapping[Endpoint, Way], asked: Sequence[tuple[Shape, str]]) -> bool:
        """One finding for each; whether nothing has failed."""
        for (shape, name), reply in zip(asked, self._sent(sender, found, asked), strict=True):
            self._found(self._judged(f"{KINDS[shape].name} {name}", judge(shape, reply), KINDS[shape].wanted))
        return not self._failed

    def _models(self, sender: Sender, found: Mapping[Endpoint, Way]) -> bool:
        if "models" not in self.how.skip and "models" in found:
            names = self._listed()
            self._found(self._judged("list of models", judge_models(sender.send(found["models"]), names), ", ".join(names)))
        return not self._failed

    def _sent(self, sender: Sender, found: Mapping[Endpoint, Way], asked: Sequence[tuple[Shape, str]]) -> list[Reply]:
        def send(one: tuple[Shape, str]) -> Reply:
            shape, name = one
            return sender.send(found[KINDS[shape].endpoint], body(shape, name, next(self._numbers)))

        several = ThreadPoolExecutor(AT_ONCE)
        try:
            replies = list(several.map(send, asked))
        finally:
            several.shutdown(wait=False, cancel_futures=True)  # after Ctrl-C nothing new is sent
        self.replies += replies
        return replies

    def _warm(self, sender: Sender, found: Mapping[Endpoint, Way], shape: Shape, canary: Canary) -> None:
        """Warm-up requests, again until every pod has had one, where that can be told."""
        default = max(LEAST, PER_POD * len(canary.before.names))
        count = default if self.how.requests is None else self.how.requests
        names = itertools.cycle(self._names())
        for number in range(ROUNDS if count else 0):
            replies = self._sent(sender, found, [(shape, next(names)) for _ in range(count)])
            self.warm += replies
            bad = [judged for judged in (judge(shape, reply) for reply in replies) if judged.verdict != "pass"]
            if bad:
                seen = f"{len(bad)} of {len(replies)} failed, as by {bad[0].seen}"
                self._found(self._judged("warm-up", bad[0]._replace(seen=seen), ANSWERED))
                return
            if number < ROUNDS - 1 and not canary.left_out(self.replies):
                break
        if self.warm:
            seen = f"{len(self.warm)} of {len(self.warm)} answered; {as_text(self.warm)}"
            self._found(self._judged("warm-up", Judged("pass", seen), ANSWERED))

    def _judged(self, check: str, judged: Judged, wanted: str) -> Finding:
        """As a finding, without what a server may have repeated of the operator's credentials."""
        assert self.door, "nothing is sent without one"
        seen = judged.seen
        for value in self.how.headers.values():
            for secret in filter(None, (value, value.rpartition(" ")[2])):
                seen = seen.replace(secret, "…")
        return Finding(check, judged.verdict, seen, wanted, self.door.url, judged.advice)
