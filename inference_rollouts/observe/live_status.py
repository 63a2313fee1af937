"""What a cluster has beside what a stack file wants: stages, weights, records, readiness, checks. Reads, and decides nothing.

`rollout status --live` shows it; `rollback --now` and `advance --if-ready` ask for the splits alone. What cannot be read is
unknown in its place; only a cluster that answers nothing at all is an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from inference_rollouts import stages
from inference_rollouts.checks import Finding
from inference_rollouts.observe import readiness
from inference_rollouts.observe.access import Access, access_to
from inference_rollouts.observe.ask import metric_findings
from inference_rollouts.observe.cluster import Absent, Answer, Cluster, Unreadable
from inference_rollouts.observe.from_plan import metric_target, ready_target
from inference_rollouts.observe.kubeconfig import NoConnection
from inference_rollouts.observe.live_split import SplitStatus, split_status
from inference_rollouts.observe.splits import OF_SPLITS
from inference_rollouts.observe.targets import ReadyTarget, SplitTarget, VersionTarget
from inference_rollouts.plan.values import ModelServiceArgs, Plan
from inference_rollouts.record import Record

OF_ROUTE = "route accepted"
"""The finding that is about no version."""


@dataclass(frozen=True, kw_only=True)
class ServiceStatus:
    """One service.

    Attributes:
        name: the service.
        splits: its route first, then the splits of its adapters, one for each adapter and pool.
        readiness: servers, pickers, pools and the route's acceptance, of every version that should stand.
        in_use: those of the readiness that are about what answers requests: the versions with weight, in the file or live, the
            version that serves until it retires (it is the way back), and the route.
        checks: what the metric checks say of each rollout that has some: under the empty name the pools', else the adapter's.
        missing: objects that should stand and do not.
    """

    name: str
    splits: tuple[SplitStatus, ...]
    readiness: tuple[Finding, ...]
    in_use: tuple[Finding, ...] = ()
    checks: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @property
    def differences(self) -> tuple[str, ...]:
        """What is not as the file says, one sentence each; what nobody can tell counts."""
        return tuple(d for split in self.splits for d in split.differences) + tuple(
            f"{at}: nothing of that name" for at in self.missing
        )

    @property
    def not_ready(self) -> tuple[str, ...]:
        """What answers requests and is not ready, one sentence each; a version without weight may still be coming up.

        Unknown is not among it: after each update a status is about an earlier generation for a minute or two, and a pipeline
        that failed on that would fail after every update. But where nobody can tell anything of the versions, to pass would
        say what nobody has seen.
        """
        failed = [finding for finding in self.in_use if finding.verdict == "fail"]
        versions = [finding for finding in self.in_use if finding.check != OF_ROUTE]
        if versions and all(finding.verdict == "unknown" for finding in versions):
            failed += versions
        return tuple(f"service {self.name}: {finding.check}: {finding.seen} ({finding.at})" for finding in failed)


@dataclass(frozen=True, kw_only=True)
class LiveStatus:
    """One stack.

    Attributes:
        access: which way it was asked.
        at: when, with a time zone.
        services: in the order of the plan.
    """

    access: Access
    at: datetime
    services: tuple[ServiceStatus, ...]

    @property
    def differences(self) -> tuple[str, ...]:
        """What is not as the file says, one sentence each."""
        return tuple(d for service in self.services for d in service.differences)

    @property
    def failed(self) -> tuple[str, ...]:
        """Why a pipeline should stop here, one sentence each: the differences, then what answers requests and is not ready."""
        return self.differences + tuple(sentence for service in self.services for sentence in service.not_ready)


def live_status(plan: Plan, project: str | None, now: datetime | None = None) -> LiveStatus:
    """Look at the cluster of a stack.

    Args:
        plan: what should stand.
        project: the Google Cloud project of the stack, where it is known.
        now: None for the present.

    Raises:
        NoConnection: when there is no way to the cluster, or it answers nothing; the text says why and what to do.
    """
    access = access_to(plan.cluster, project)
    cluster = Cluster(kubeconfig=access.kubeconfig, context=access.context)
    at = now or datetime.now(UTC)
    seen = [look(cluster, service, at, project) for service in plan.services]
    if seen and (reason := _silent(answers for _, answers in seen)):
        raise NoConnection(no_answer(access, reason))
    return LiveStatus(access=access, at=at, services=tuple(service for service, _ in seen))


def no_answer(access: Access, reason: str) -> str:
    """What to say, and to do, when a cluster answers nothing."""
    if "HTTP 401" in reason:
        way = "log in anew: the credentials of the kubeconfig are refused"
    elif "HTTP 403" in reason:
        way = "ask for the right to get these objects"
    else:
        way = "see whether this is the right endpoint, and whether it can be reached from here (VPN, authorized networks)"
    return f"{access.server or 'the cluster'} ({access.said}) gives no answer: {reason}; {way}"


def _silent(answers: Iterable[Iterable[Answer]]) -> str | None:
    """The reason of the first, where nothing at all could be read."""
    every = [answer for one in answers for answer in one]
    if any(not isinstance(answer, Unreadable) for answer in every):
        return None
    return next((answer.reason for answer in every if isinstance(answer, Unreadable)), None)


def look(
    cluster: Cluster, service: ModelServiceArgs, now: datetime, project: str | None
) -> tuple[ServiceStatus, tuple[Answer, ...]]:
    """One service, and every answer that the cluster gave."""
    # With something raised every version is looked at, not the canary alone.
    target = ready_target(service, service.record, ("",))
    with ThreadPoolExecutor(1) as aside:
        metrics = aside.submit(_checks, service, project)
        seen = readiness.look(cluster, target)
        checks = metrics.result()
    splits = tuple(
        split_status(split, target.at(split.kind, split.name), seen.split(split), now, adapter=_adapter(service, split))
        for split in (target.route, *target.splits)
    )
    using = replace(target, versions=tuple(_in_use(target, splits[0])))
    status = ServiceStatus(
        name=service.name,
        splits=splits,
        readiness=_readiness(target, seen),
        in_use=_readiness(using, seen),
        checks=checks,
        missing=tuple(_missing(target, seen)),
    )
    return status, tuple(seen.objects.values())


def _readiness(target: ReadyTarget, seen: readiness.Observed) -> tuple[Finding, ...]:
    try:
        # What those of the splits say, SplitStatus says.
        return tuple(finding for finding in readiness.findings(target, seen) if finding.check not in OF_SPLITS)
    except Exception as e:  # an object of a shape that nobody foresaw is no reason to show nothing
        return (Finding("ready", "unknown", f"what could not be judged ({type(e).__name__}: {e})", "a judgement", "the cluster"),)


def _in_use(target: ReadyTarget, route: SplitStatus) -> Iterator[VersionTarget]:
    """The versions that answer requests, in the file or live, and the one that the way back leads to."""
    wanted = route.wanted
    pools = {pool for weights in (route.shown, route.live or {}) for pool, weight in weights.items() if weight}
    if stages.protects_stable(wanted.stage):
        pools.add(route.target.backends.get(wanted.serving, wanted.serving))
    return (version for version in target.versions if version.pool in pools)


def _missing(target: ReadyTarget, seen: readiness.Observed) -> Iterator[str]:
    """What stands nowhere, but for the splits, which say so themselves."""
    own = {(split.api_version, split.kind, split.name) for split in (target.route, *target.splits)}
    for key, answer in seen.objects.items():
        if key not in own and isinstance(answer, Absent):
            yield target.at(key[1], key[2])


def _adapter(service: ModelServiceArgs, split: SplitTarget) -> str | None:
    """Whose split an object carries; None for the pools'."""
    if split.kind == "HTTPRoute":
        return None
    return next(args.model for version in service.versions for args in version.splits.values() if args.name == split.name)


def _checks(service: ModelServiceArgs, project: str | None) -> dict[str, tuple[Finding, ...]]:
    """What the metric checks say now, of every rollout whose canary has traffic by the file."""
    found = {}
    for name in ("", *service.record.adapters):
        metrics = metric_target(service, service.record, name, project)
        if metrics:
            found[name] = tuple(metric_findings(metrics))
    return found


def splits_of(cluster: Cluster, service: ModelServiceArgs, now: datetime) -> tuple[SplitStatus, ...]:
    """Only the objects of a service that carry weights: its route, then the splits of its adapters."""
    target = ready_target(service, service.record, ())
    splits = (target.route, *target.splits)
    with ThreadPoolExecutor(8) as several:
        answers = several.map(lambda s: cluster.get(s.api_version, s.kind, target.namespace, s.name), splits)
        return tuple(
            split_status(split, target.at(split.kind, split.name), answer, now, adapter=_adapter(service, split))
            for split, answer in zip(splits, answers, strict=True)
        )


def deployed_record(service: ModelServiceArgs, splits: Iterable[SplitStatus]) -> Record:
    """The record of what stands, as far as a cluster shows it: the file's, with the splits that the objects were written for.

    Pulumi's state holds the whole record; without it, the annotations of the route and of the splits are the next best.
    """
    record = service.record
    written = {split.adapter: split.recorded for split in splits if split.recorded}
    adapters = {name: written.get(name) or split for name, split in record.adapters.items()}
    return replace(record, pools=written.get(None) or record.pools, adapters=adapters)


__all__ = ["LiveStatus", "ServiceStatus", "SplitStatus", "deployed_record", "live_status", "look", "no_answer", "splits_of"]
