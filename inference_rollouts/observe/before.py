"""Everything that is asked before a raise, or `retire`, of one service: the guard's questions, for whoever asks without it."""

from __future__ import annotations

from datetime import datetime

from inference_rollouts.checks import Finding
from inference_rollouts.observe.ask import ask
from inference_rollouts.observe.cluster import Cluster
from inference_rollouts.observe.from_plan import bake_target, metric_target, probe_target, ready_target
from inference_rollouts.plan.values import ModelServiceArgs
from inference_rollouts.raises import Raise
from inference_rollouts.record import Record


def findings_before(
    cluster: Cluster,
    service: ModelServiceArgs,
    deployed: Record,
    raised: Raise,
    *,
    project: str | None,
    stack: str,
    now: datetime,
) -> list[Finding]:
    """Every finding of every raise in a move.

    Args:
        cluster: where to look.
        service: what is wanted.
        deployed: the record of what stands.
        raised: what rises or retires.
        project: the Google Cloud project, for its metrics.
        stack: the stack's name, for what findings advise.
        now: with a time zone.
    """
    target = ready_target(service, deployed, raised.touched)
    found: list[Finding] = []
    # Each raise has conditions of its own: one that has baked long enough says nothing of another.
    for name in raised.names:
        bake = bake_target(service, target, name)
        probe = probe_target(service, deployed, name, stack)
        metrics = metric_target(service, deployed, name, project)
        found += ask(cluster, target, now=now, bake=bake, probe=probe, metrics=metrics)
    for name in raised.retired:
        found += ask(cluster, target, now=now, bake=bake_target(service, target, name, retires=True))
    return list(dict.fromkeys(found))
