"""`rollout advance --if-ready`: the guard's questions, asked before the file is edited, for a scheduler that asks again later.

Without Pulumi's state the record of what is deployed is the live one: what the objects were written for. So the cluster has to
agree with the file first. What nobody can tell is not ready.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from inference_rollouts import move
from inference_rollouts.checks import blocks
from inference_rollouts.cli.status import Standing
from inference_rollouts.edit import live_words as words
from inference_rollouts.edit import operations
from inference_rollouts.edit.document import Document
from inference_rollouts.edit.target import Target
from inference_rollouts.plan import ModelServiceArgs, Plan, plan_for
from inference_rollouts.raises import raised
from inference_rollouts.settings.stack_file import StackFile


def why_not(file: StackFile, found: Target, edited: Document) -> list[str]:
    """Why a rollout is not ready for the edit, one sentence each; none when it is, or when the move asks nothing.

    Args:
        file: the stack file as it is.
        found: the rollout.
        edited: the file as it would be.
    """
    settings = file.settings()
    standing = Standing(file, settings, plan_for(settings))
    here = _service(standing.plan, found)
    there = _service(plan_for(operations.parsed(file.path, edited.data).settings()), found)
    if not raised(here.record, there.record):
        return []
    # What talks to a cluster is loaded only where a cluster is asked.
    from inference_rollouts.observe.access import access_to
    from inference_rollouts.observe.before import findings_before
    from inference_rollouts.observe.cluster import Cluster
    from inference_rollouts.observe.kubeconfig import NoConnection
    from inference_rollouts.observe.live_status import deployed_record, splits_of

    now = datetime.now(UTC)
    try:
        access = access_to(settings.cluster, standing.project)
    except NoConnection as e:
        return [words.not_ready(found.what, str(e))]
    cluster = Cluster(kubeconfig=access.kubeconfig, context=access.context)
    splits = splits_of(cluster, here, now)
    if differs := [difference for split in splits for difference in split.differences]:
        return [words.not_as_in_the_file(found.what, difference) for difference in differs]
    deployed = deployed_record(here, splits)
    if refused := move.judge(there.name, deployed, there.record, now):
        return refused
    findings = findings_before(
        cluster, there, deployed, raised(deployed, there.record), project=standing.project, stack=file.stack, now=now
    )
    return list(_told(found, [finding.sentence for finding in blocks(findings)]))


def _service(plan: Plan, found: Target) -> ModelServiceArgs:
    return next(service for service in plan.services if service.name == found.place.service)


def _told(found: Target, sentences: list[str]) -> Iterator[str]:
    for sentence in sentences:
        yield words.not_ready(found.what, sentence)
