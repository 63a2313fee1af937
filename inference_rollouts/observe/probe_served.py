"""Who answered a probe: whether it was the canary, and whether every Ready pod of it did.

The route's test rule decides it, where the request went to the Gateway itself. Beside that there is proof: what replies say of
themselves; the counters of the canary's pods, while it has no other traffic; their sum in Prometheus, where one is configured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference_rollouts.checks import Finding
from inference_rollouts.observe.probe_pods import Pods, ProbeCluster, foreign, named_pods, read_pods, settled
from inference_rollouts.observe.probe_scraped import Scraped
from inference_rollouts.observe.probe_send import Reply


@dataclass(frozen=True, kw_only=True)
class Canary:
    """The version that should have answered.

    Attributes:
        cluster, namespace, selector: where its pods are.
        pool: its InferencePool.
        weight: its live weight.
        before: its pods before anything was sent.
        scraped: its counter in Prometheus; None where none is configured.
        gateways: whether the requests go to the Gateway's own address.
        at: where they go, for findings.
    """

    cluster: ProbeCluster
    namespace: str
    selector: Mapping[str, str]
    pool: str
    weight: int
    before: Pods
    scraped: Scraped | None
    gateways: bool
    at: str

    def left_out(self, replies: Sequence[Reply]) -> bool:
        """Whether some Ready pod is known to have had no request yet."""
        found = self.hits(replies)
        return found is not None and not all(found.values())

    def hits(self, replies: Sequence[Reply]) -> dict[str, int] | None:
        """Requests by Ready pod; None where nobody can tell."""
        named = named_pods(replies)
        if named is not None:
            return {name: named[name] for name in self.before.names or named}
        # With weight it has other traffic, which counts as well.
        return None if self.weight else settled(self.cluster, self.namespace, self.selector, self.before, len(replies))

    def findings(self, replies: Sequence[Reply]) -> list[Finding]:
        """Whether the canary answered, and every pod of it.

        Args:
            replies: whole ones, of generations.
        """
        wanted = f"the servers of InferencePool {self.pool}"
        now = read_pods(self.cluster, self.namespace, self.selector)
        if others := foreign(replies, self.pool, (*self.before.names, *now.names)):
            advice = "see who else sends this header's requests elsewhere: another HTTPRoute, or another rule of this one"
            return [Finding("canary answered", "fail", f"{others} of {len(replies)} replies", wanted, self.at, advice)]
        found = self.hits(replies)
        answered = Finding("canary answered", *self._answered(replies, found), wanted, self.at)
        if answered.verdict == "unknown":
            advice = "leave --url out, so that the Gateway's own address is asked, where the route's rule decides it"
            answered = Finding("canary answered", "unknown", answered.seen, wanted, self.at, advice)
        return [answered, *([] if answered.blocks or not self.selector else [self._every(found)])]

    def _answered(self, replies: Sequence[Reply], found: Mapping[str, int] | None) -> tuple[Any, str]:
        if named_pods(replies) is not None:
            return "pass", f"all {len(replies)} replies name a pod of it"
        if found is not None:
            counted = sum(found.values())
            seen = f"{counted} more generations counted by its {len(found)} Ready pods, after {len(replies)} answers"
            return ("pass" if counted >= len(replies) else "fail"), seen
        if not self.weight and self.scraped and (rise := self.scraped.rise(len(replies))) is not None:
            return "pass", f"{rise:.0f} more generations counted by Prometheus, after {len(replies)} answers"
        why = f"it has {self.weight} % of the other traffic, too" if self.weight else self.before.why or "no counter says it"
        told = f"which version answered could not be told ({why})"
        if self.gateways:
            return "pass", f"{told}; the route's test rule sends to it alone"
        return "unknown", told

    def _every(self, found: Mapping[str, int] | None) -> Finding:
        wanted = "every Ready pod has answered"
        if found is None:
            return Finding("every pod", "pass", "which pods answered could not be told", wanted, self.at)
        missed = [name for name, count in found.items() if not count]
        if missed:
            seen = f"no request to {', '.join(missed[:3])}{f' and {len(missed) - 3} more' if len(missed) > 3 else ''}"
            advice = "send more (--requests), or see whether the endpoint picker knows these pods"
            return Finding("every pod", "fail", f"{seen}, of {len(found)} Ready pods", wanted, self.at, advice)
        shown = ", ".join(f"{name} {count}" for name, count in list(found.items())[:4])
        return Finding(
            "every pod", "pass", f"{len(found)} of {len(found)}: {shown}{', …' if len(found) > 4 else ''}", wanted, self.at
        )
