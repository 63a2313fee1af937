"""`rollout rehearse STACK --live`: each rollout of a stack on the sandbox, from nothing to finish, under traffic."""

from __future__ import annotations

import fcntl
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from inference_rollouts.checks import completed
from inference_rollouts.plan import ModelServiceArgs, plan_for
from inference_rollouts.rehearsal.walk import Rehearsal, RolloutOf, Step, at, own_keys
from inference_rollouts.settings import load as load_settings
from inference_rollouts.settings.stack_file import StackFile
from sandbox.apply.kubectl import KubectlError
from sandbox.apply.program import rehearsable
from sandbox.apply.update import UpdateFailed
from sandbox.files import give_back
from sandbox.gateway.files import GatewayFiles
from sandbox.home import Home, SandboxError
from sandbox.live import clients, world
from sandbox.live.conduct import ByReply, Conductor, Decisions
from sandbox.live.decisions import ByDecision
from sandbox.live.deployer import Deployer
from sandbox.live.faults import FAULTS, Scene
from sandbox.live.faulty import Faulty
from sandbox.live.report import LiveReport, LiveRollout, Moved, Streams
from sandbox.live.show import Screen
from sandbox.live.story import straight_up, whole_story
from sandbox.live.watch import standing
from sandbox.nodes import faults as nodes
from sandbox.nodes.faults import FaultError
from sandbox.nodes.settings import configured, in_all_versions, settings_path
from sandbox.traffic.counts import PhaseCount
from sandbox.traffic.load import Load
from sandbox.traffic.requests import Requests, long_streams
from sandbox.traffic.split import surely


class Stopped(Exception):
    """The rehearsal was stopped before its end."""


@dataclass(frozen=True)
class Options:
    """How a live rehearsal is done.

    Attributes:
        requests: least requests after each move.
        rate: requests a second; 0 sends as fast as replies come, on 16 connections.
        whole: back from every stage, too, not only up.
        streams: long streams at a time; 0 for none.
        stream_seconds: how long each takes at least.
        fault: what goes wrong on the way; None for nothing.
    """

    requests: int = 1000
    rate: float = 100
    whole: bool = False
    streams: int = 4
    stream_seconds: float = 30.0
    fault: str | None = None


@dataclass
class Live:
    """A live rehearsal of one stack.

    Attributes:
        home: of the sandbox, which is up.
        project: the folder with Pulumi.yaml.
        path, file: the stack file.
        options: how.
        screen: where it is shown.
        stop: set by whoever wants it to end: after the move that is under way everything is taken down.
    """

    home: Home
    project: Path
    path: Path
    file: StackFile
    options: Options
    screen: Screen
    stop: Event = field(default_factory=Event)
    deployer: Deployer = field(init=False)
    config: Mapping[str, Any] = field(init=False)
    """Of the stack file, without what no rehearsal gets past."""

    def __post_init__(self) -> None:
        self.deployer = Deployer(self.home, self.project, self.file.stack)
        self.config = rehearsable(self.file.config)

    def run(self) -> LiveReport:
        """Every rollout of the file, one after the other, each from nothing.

        Raises:
            SandboxError: the sandbox does not do what it should, so that nothing can be said of the rollout.
            Stopped: it was stopped; what stood is taken down.
        """
        began, start = datetime.now(UTC), time.monotonic()
        rollouts = Rehearsal(self.project, self.file.stack, self.config).rollouts()
        refuse_faults_of_adapters(rollouts, self.options.fault)
        for rollout in rollouts:
            self._refuse_a_rate_too_low(rollout)
        try:
            with alone(self.home):
                found = tuple(self._rollout(rollout) for rollout in rollouts)
        except (KubectlError, UpdateFailed, FaultError) as e:
            raise SandboxError(f"the sandbox does not do what it should: {e}; see: rollout sandbox status") from e
        state = self.home.running()
        return LiveReport(
            self.file.stack, state.gateway, machine(), began.isoformat("T", "seconds"), time.monotonic() - start, found
        )

    def _refuse_a_rate_too_low(self, rollout: RolloutOf) -> None:
        service = self.service(rollout, "baseline")
        portion = self._decisions(rollout, service).portion(self.requests(rollout, service).models)
        refuse_a_rate_too_low_for_checks(rollout, service, self.options.rate, portion)

    def _rollout(self, rollout: RolloutOf) -> LiveRollout:
        moves: list[Moved] = []
        with self.screen.rollout(self.file.stack, rollout), self.created(rollout) as (load, streams):
            conductor = self.conductor(rollout, load, streams)
            faulty, steps = self._faulty(rollout, conductor), story(rollout, self.options)
            for moved in faulty.perform() if faulty else conductor.perform(steps):
                moves.append(moved)
                self.screen.moved(moved)
            if self.stop.is_set():
                raise Stopped
            self.screen.doing("waiting for the last replies")
            finished = self._streamed(streams)
            complete = faulty.complete if faulty else len(moves) == len(steps) - 1 and all(moved.done for moved in moves)
            moves = with_leftovers(moves, load.stop().whole, rollout.canary if faulty else None)
            self.screen.doing("taking everything down")
        result = LiveRollout(
            rollout.service,
            rollout.adapter,
            rollout.kind,
            rollout.stable,
            rollout.canary,
            tuple(moves),
            finished,
            faulty.found if faulty else None,
            complete,
        )
        self.screen.closing(result)
        return result

    @contextmanager
    def created(self, rollout: RolloutOf) -> Iterator[tuple[Load, Load | None]]:
        """The stack with a rollout at baseline, its traffic and its long streams; everything is taken down afterwards."""
        self.screen.doing("creating the service at baseline")
        self._tidy()
        with configured(self.home.root, **in_all_versions(self.home.root, tokenSeconds=clients.TOKEN_SECONDS)):
            try:
                self._create(rollout)
                with self._traffic(rollout, self.service(rollout, "baseline")) as traffic:
                    yield traffic
            finally:
                self.deployer.destroy()

    def _tidy(self) -> None:
        """Undo what a rehearsal that was ended at once has left: faults, settings, and objects, of whatever stack it was."""
        root = self.home.root
        nodes.clear(root)
        for path in (GatewayFiles(self.home).settings, settings_path(root)):
            give_back(path)
        for state in sorted((root / "stacks").glob("*.json")):
            Deployer(self.home, self.project, state.stem).destroy()

    def conductor(self, rollout: RolloutOf, load: Load, streams: Load | None = None) -> Conductor:
        """Who performs the moves."""
        service = self.service(rollout, "baseline")
        watch: Callable[[], Mapping[str, Any]] = dict
        if rollout.adapter:
            kubectl, namespace = self.deployer.kubectl, service.route.namespace

            def watch() -> Mapping[str, Any]:
                return standing(kubectl, namespace)

        config, decisions = self.config, self._decisions(rollout, service)
        return Conductor(
            self.deployer,
            config,
            rollout,
            load,
            decisions,
            self.options.requests,
            evidence_of(service, rollout),
            watch=watch,
            let_end=partial(self._let_end, streams),
            told=self.screen.doing,
            stop=self.stop,
        )

    def _let_end(self, streams: Load | None) -> None:
        """istiod takes a picker's cluster away with its Service; Envoy then cuts each reply that this picker still watches."""
        if streams and self.home.running().gateway == "istio":
            streams.let_end(streams.requests.timeout)

    def _faulty(self, rollout: RolloutOf, conductor: Conductor) -> Faulty | None:
        if self.options.fault is None:
            return None
        scene = Scene(self.deployer, self.service(rollout, "prepare"), rollout.stable, rollout.canary)
        return Faulty(conductor, scene, FAULTS[self.options.fault], str(self.path))

    def service(self, rollout: RolloutOf, step: Step) -> ModelServiceArgs:
        """The plan of a rollout's service at a step."""
        plan = plan_for(load_settings(own_keys(at(self.config, rollout, step))))
        return next(service for service in plan.services if service.name == rollout.service)

    def _decisions(self, rollout: RolloutOf, service: ModelServiceArgs) -> Decisions:
        if rollout.adapter is None:
            return ByReply()
        pickers = tuple(version.picker.name for version in service.versions if version.picker)
        return ByDecision(self.deployer.kubectl, service.route.namespace, pickers, rollout.adapter)

    def _create(self, rollout: RolloutOf) -> None:
        stack = load_settings(own_keys(self.config))
        world.furnish(self.deployer.kubectl, stack, self.home.running().gateway)
        created = self.deployer.up(at(self.config, rollout, "baseline"))
        if not created.done:
            why = "; ".join(created.preview.refusals) or created.error
            raise SandboxError(f"stack {self.file.stack} cannot be created on the sandbox: {why}")

    @contextmanager
    def _traffic(self, rollout: RolloutOf, service: ModelServiceArgs) -> Iterator[tuple[Load, Load | None]]:
        requests = self.requests(rollout, service)
        clients.await_answers(requests)
        stable = [rollout.stable] if requests.versions else None
        streams = self._long(requests)
        with (
            Load(requests, home=self.home, allow=stable) as load,
            Load(streams, home=self.home) if streams else nullcontext() as long,
        ):
            yield load, long

    def requests(self, rollout: RolloutOf, service: ModelServiceArgs) -> Requests:
        """What clients send."""
        settings = load_settings(own_keys(self.config))
        names = settings.services[rollout.service].models or (rollout.service,)
        # Adapters' versions cannot be told from a reply.
        told = () if rollout.adapter else self.service(rollout, "prepare").versions
        found = clients.requests(self.home.running().ports.gateway, names, service, told, self.options.rate)
        # The time between tokens takes two of them.
        return replace(found, max_tokens=2, ignore_eos=True) if evidence_of(service, rollout) else found

    def _long(self, requests: Requests) -> Requests | None:
        if not self.options.streams or self.options.fault:
            return None
        seconds, latency = self.options.stream_seconds, clients.TOKEN_SECONDS
        return long_streams(requests, self.options.streams, seconds=seconds, inter_token_latency=latency)

    def _streamed(self, streams: Load | None) -> Streams | None:
        if streams is None:
            return None
        whole = streams.stop().whole
        samples = tuple(f"{s.kind}: {s.detail}" for s in whole.samples)
        median = whole.latency.p50 / 1000 if whole.ok else None
        return Streams(self.options.stream_seconds, whole.ok, whole.failed, samples, median)


@contextmanager
def alone(home: Home) -> Iterator[None]:
    """One rehearsal at a time: two would take each other's objects away.

    Raises:
        SandboxError: another one is under way.
    """
    with (home.run / "rehearsal.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SandboxError("another live rehearsal is under way on this sandbox; wait until it ends") from None
        yield


def story(rollout: RolloutOf, options: Options) -> Sequence[Step]:
    """The steps that are performed."""
    return whole_story(rollout.ladder) if options.whole else straight_up(rollout.ladder)


def evidence_of(service: ModelServiceArgs, rollout: RolloutOf) -> int:
    """The most requests that one of a rollout's metric checks wants to have seen; 0 without checks."""
    conditions = service.conditions.get(rollout.adapter or "")
    return max((completed(check).min_requests or 1 for check in conditions.checks), default=0) if conditions else 0


def refuse_faults_of_adapters(rollouts: Sequence[RolloutOf], fault: str | None) -> None:
    """Faults strike what a version has of its own: an adapter has neither servers nor a picker nor nodes.

    Raises:
        SandboxError: a fault is wanted, and there is a rollout of an adapter.
    """
    adapters = [rollout.adapter for rollout in rollouts if rollout.adapter]
    if fault and adapters:
        raise SandboxError(
            f"--fault {fault} strikes servers of the canary's own, and adapter {adapters[0]} has none; "
            "take a stack file whose rollouts are of versions only"
        )


def refuse_a_rate_too_low_for_checks(rollout: RolloutOf, service: ModelServiceArgs, rate: float, portion: float) -> None:
    """A check that does not see its `minRequests` within its `for` refuses the raise, however well all is.

    Args:
        rollout, service: whose checks.
        rate: requests a second; 0 for as many as are answered, of which nobody knows how many that is.
        portion: of the requests, to which the rollout's weights apply.

    Raises:
        SandboxError: the lowest rung brings the canary so few that chance would refuse.
    """
    conditions = service.conditions.get(rollout.adapter or "")
    lowest = min(stage for stage in rollout.ladder if isinstance(stage, int))
    for check in map(completed, conditions.checks if conditions and rate else ()):
        least = surely(check.min_requests or 0) / (check.window_seconds * portion * lowest / 100)
        if rate < least:
            raise SandboxError(
                f"--rate {rate:g} is too low for check {check.name} at stage {lowest}: it wants to see {check.min_requests} "
                f"requests of {rollout.canary} within {check.window_seconds} s; take --rate {math.ceil(least)} or more, "
                "or a longer `for`"
            )


def with_leftovers(moves: list[Moved], whole: PhaseCount, excused: str | None) -> list[Moved]:
    """Requests that were under way when their phase was judged: a failure among them counts as the last move's.

    Args:
        moves: all moves.
        whole: counts of all requests, those between the moves too, when none is under way any more.
        excused: a version that met a fault on purpose.
    """
    lost = whole.failed - sum(moved.failed for moved in moves)
    if excused:
        lost -= whole.excusable_of(excused)
        # Those of the fault's own phases are told there.
        lost -= sum(moved.faulty.kinds.get("wrong_version", 0) for moved in moves if moved.faulty)
    if lost <= 0 or not moves:
        return moves
    return [*moves[:-1], replace(moves[-1], notes=(*moves[-1].notes, f"{lost} more requests failed after their phase"))]


def machine() -> str:
    """The machine's size, in words."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GB"
