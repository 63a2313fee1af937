"""What the cluster and the metrics say at a rung: the questions that the guard asks before a raise, asked all along it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from inference_rollouts.checks import Finding
from inference_rollouts.drive.subject import Subject
from inference_rollouts.errors import InputError
from inference_rollouts.observe.splits import OF_SPLITS
from inference_rollouts.plan import ModelServiceArgs
from inference_rollouts.record import Record
from inference_rollouts.stages import Stage, canary_weight

if TYPE_CHECKING:
    from inference_rollouts.observe.ask import BakeTarget, MetricTarget
    from inference_rollouts.observe.cluster import Cluster


@dataclass(frozen=True)
class Asked:
    """What was answered at a rung.

    Attributes:
        findings: of every check, but for the least time at the rung.
        left: seconds until that is over; None where it cannot be told, and a finding says why.
        least: seconds of that time in all.
    """

    findings: tuple[Finding, ...]
    left: float | None = 0.0
    least: float = 0.0

    def of(self, verdict: str) -> tuple[Finding, ...]:
        """The findings of one verdict."""
        return tuple(finding for finding in self.findings if finding.verdict == verdict)

    @property
    def by_hand(self) -> bool:
        """Whether somebody else has moved the traffic: no fault of the canary, and not ours to undo."""
        return any(finding.check in OF_SPLITS for finding in self.of("fail"))


class Asker(Protocol):
    """Who can ask."""

    def ask(self, here: Stage, following: Stage | None, deployed: Record, now: datetime) -> Asked:
        """What is to be known at a rung.

        Args:
            here: the stage that is deployed.
            following: the stage that is to come; None when it ends here.
            deployed: the record in state.
            now: with a time zone.
        """
        ...


class LiveAsker:
    """Asks the stack's cluster and its Prometheus, by the way that `rollout status --live` takes.

    Args:
        subject: the rollout.
    """

    def __init__(self, subject: Subject) -> None:
        self._subject = subject

    def ask(self, here: Stage, following: Stage | None, deployed: Record, now: datetime) -> Asked:
        """See Asker."""
        # What talks to a cluster is loaded at the first question only.
        from inference_rollouts.observe.kubeconfig import NoConnection

        _, service = self._subject.planned(here if following is None else following)
        try:
            return self._asked(service, here, following, deployed, now)
        except InputError:
            raise
        except NoConnection as e:
            seen, wanted = f"no way to it: {e}", "an answer"
        except Exception as e:  # an object of a shape that nobody foresaw must not end a run while the canary has traffic
            seen, wanted = f"what could not be judged ({type(e).__name__}: {e})", "a judgement"
        return Asked((Finding("cluster", "unknown", seen, wanted, "the cluster"),), None)

    def _asked(self, service: ModelServiceArgs, here: Stage, following: Stage | None, deployed: Record, now: datetime) -> Asked:
        from inference_rollouts.observe.ask import ask
        from inference_rollouts.observe.from_plan import bake_target, metric_target, probe_target, ready_target

        cluster = self._connected()
        name = self._subject.place.adapter or ""
        ready = ready_target(service, deployed, (name,) if name else ())
        bake = bake_target(service, ready, name, retires=following == "retire")
        probe = probe_target(service, deployed, name, self._subject.stack) if following not in (None, "retire") else None
        metrics = metric_target(service, deployed, name, self._subject.project) if canary_weight(here) else None
        found = ask(cluster, ready, now=now, probe=probe, metrics=_answerable(metrics))
        left = _left(cluster, ready.namespace, bake, now)
        told = [item for item in left if isinstance(item, Finding)]
        return Asked((*found, *told), None if told else max(map(_seconds, left), default=0.0), bake.seconds)

    def _connected(self) -> Cluster:
        """Anew for each round: a run may last for days, a token for an hour, and a failing plugin works the next time."""
        from inference_rollouts.observe.access import access_to
        from inference_rollouts.observe.cluster import Cluster

        access = access_to(self._subject.settings().cluster, self._subject.project)
        return Cluster(kubeconfig=access.kubeconfig, context=access.context)


def _left(cluster: Cluster, namespace: str, bake: BakeTarget, now: datetime) -> list[float | Finding]:
    """For each object that carries the weights: the seconds left of the least time, or why nobody knows."""
    from inference_rollouts.observe.bake import age, baked
    from inference_rollouts.observe.cluster import Found

    left: list[float | Finding] = []
    for split in bake.splits if bake.seconds > 0 else ():
        answer = cluster.get(split.api_version, split.kind, namespace, split.name)
        stood = age(answer.value, now) if isinstance(answer, Found) else None
        at = f"{split.kind} {namespace}/{split.name}"
        unknown = stood is None
        left.append(baked(answer, at, now, bake.seconds, bake.check) if unknown else max(0.0, bake.seconds - stood))
    return left


def _seconds(left: float | Finding) -> float:
    return 0.0 if isinstance(left, Finding) else left


def _answerable(metrics: MetricTarget | None) -> MetricTarget | None:
    """At 100 stable has no traffic to compare with: what only compares is not asked there."""
    if metrics is None or metrics.stable is not None:
        return metrics
    kept = (replace(check, max_ratio=None) for check in metrics.checks)
    return replace(metrics, checks=tuple(check for check in kept if check.has_limit))
