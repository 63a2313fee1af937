"""LiveChecks: asks the cluster before a raise, or `retire`, whether everything is ready. Asked in `up`, never for a fall.

The libraries for it are loaded at the first question only, so that a preview, and the way back, never need them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pulumi

from components.cluster_access import ClusterAccess
from inference_rollouts.checks import blocks
from inference_rollouts.plan import ModelServiceArgs
from inference_rollouts.plan.questions import questions
from inference_rollouts.raises import Raise
from inference_rollouts.record import Record


class LiveChecks:
    """What the cluster says of one service.

    Args:
        access: the way to the cluster: its kubernetes provider's.
        service: what is wanted.
    """

    def __init__(self, access: ClusterAccess, service: ModelServiceArgs) -> None:
        self.access, self.service = access, service

    def questions(self, raised: Raise) -> Sequence[str]:
        """What will be asked, for a preview."""
        return questions(self.service, raised)

    async def ask(self, deployed: Record, raised: Raise) -> Sequence[str]:
        """What stands against the raise, one sentence each; what could not be read counts."""
        kubeconfig = await self.access.kubeconfig.future() if self.access.kubeconfig else None
        # In a thread: other registrations go on while the cluster is asked.
        return await asyncio.to_thread(self._ask, kubeconfig, deployed, raised, pulumi.get_stack())

    def _ask(self, kubeconfig: str | None, deployed: Record, raised: Raise, stack: str) -> list[str]:
        from inference_rollouts.observe.before import findings_before
        from inference_rollouts.observe.cluster import Cluster

        cluster = Cluster(kubeconfig=kubeconfig, context=self.access.context)
        project, now = self.access.project, datetime.now(UTC)
        found = findings_before(cluster, self.service, deployed, raised, project=project, stack=stack, now=now)
        for finding in found:
            pulumi.log.debug(finding.sentence)
        return list(dict.fromkeys(finding.sentence for finding in blocks(found)))
