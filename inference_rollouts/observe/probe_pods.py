"""Which pods answered: by what replies say of themselves, and by the counters of vLLM, read from each pod past the Gateway.

Read from the pod through the API server, a counter is up to date, which one in Prometheus is only after its next scrape.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import quote

from inference_rollouts.manifests.vllm import PORT
from inference_rollouts.observe.cluster import Absent, Answer, Found, Unreadable, collection
from inference_rollouts.observe.patch import Writer
from inference_rollouts.observe.pods import ready_pods
from inference_rollouts.observe.probe_send import Reply

POD_HEADER = "x-inference-pod"
"""What llm-d-inference-sim says of itself."""

POOL_HEADER = "x-sandbox-pool"
"""What the sandbox's gateway says of the pool that it chose."""

COUNTER = "vllm:request_success_total"
"""Generations that ended; a series for each model and finish_reason, which appears with the first of them."""

SETTLES = 5.0
"""Seconds within which a counter shows what was answered."""


class ProbeCluster(Writer):
    """A cluster whose pods are asked for their metrics, too."""

    def pod_text(self, namespace: str, pod: str, port: int, path: str) -> Answer:
        """What a pod answers to a GET, through the API server, as a text."""
        place = f"{collection('v1', 'Pod', namespace)}/{quote(pod, safe='')}:{port}/proxy{path}"
        try:
            client = self._connected()
            request = client.param_serialize("GET", place, auth_settings=["BearerToken"])
            response = client.call_api(*request, _request_timeout=self._timeouts)
            text = bytes(response.read()).decode(errors="replace")
        except Exception as e:  # whatever it is, the caller is told, and never brought down
            return Unreadable(f"{type(e).__name__}: {' '.join(str(e).split())[:300]}")
        return Found(text) if response.status == 200 else Unreadable(f"HTTP {response.status}: {' '.join(text.split())[:300]}")


@dataclass(frozen=True)
class Pods:
    """The Ready pods of a version, and what their counters say.

    Attributes:
        names: of the pods.
        counts: generations by pod; None where some pod's could not be read.
        why: why not.
    """

    names: tuple[str, ...] = ()
    counts: Mapping[str, float] | None = None
    why: str = ""


def read_pods(cluster: ProbeCluster, namespace: str, selector: Mapping[str, str]) -> Pods:
    """The Ready pods that have these labels, with their counters."""
    answer = ready_pods(cluster, namespace, selector) if selector else Absent()
    if not isinstance(answer, Found):
        return Pods(why=f"no pods can be listed: {getattr(answer, 'reason', 'its pool is somebody else’s')}")
    names = tuple(answer.value)
    with ThreadPoolExecutor(8) as several:
        told = list(several.map(lambda name: cluster.pod_text(namespace, name, PORT, "/metrics"), names))
    counted = {name: _counted(text) for name, text in zip(names, told, strict=True)}
    silent = {name: why for name, why in counted.items() if isinstance(why, str)}
    if silent:
        name, why = next(iter(silent.items()))
        return Pods(names, None, f"the counters of {name} cannot be read: {why}")
    return Pods(names, {name: count for name, count in counted.items() if isinstance(count, float)})


def _counted(answer: Answer) -> float | str:
    """All series of the counter together, or why there is none."""
    if not isinstance(answer, Found):
        return getattr(answer, "reason", "it is gone")
    lines = [line for line in answer.value.splitlines() if line.startswith("vllm:")]
    if not lines:
        return "it has no metrics of vLLM"
    try:
        return float(sum(_value(line) for line in lines if line.startswith((f"{COUNTER}{{", f"{COUNTER} "))))
    except ValueError as e:
        return str(e)


def _value(line: str) -> float:
    """The value of a line of the Prometheus text format: what follows the labels, before a timestamp."""
    return float(line.rpartition("}")[2].removeprefix(COUNTER).split()[0])


def settled(
    cluster: ProbeCluster, namespace: str, selector: Mapping[str, str], before: Pods, answered: int
) -> dict[str, int] | None:
    """Generations by pod since `before`, read until all that were answered are in; None where they cannot be told."""
    deadline = time.monotonic() + SETTLES
    while True:
        now = read_pods(cluster, namespace, selector)
        if before.counts is None or now.counts is None or not now.names:
            return None
        # A container that began anew counts from 0.
        grown = {name: count - before.counts.get(name, 0) for name, count in now.counts.items()}
        if any(count < 0 for count in grown.values()):
            return None
        if sum(grown.values()) >= answered or time.monotonic() > deadline:
            return {name: round(count) for name, count in grown.items()}
        time.sleep(0.2)


# --- what replies say -------------------------------------------------------------------------------------------------


def named_pods(replies: Sequence[Reply]) -> Counter[str] | None:
    """Replies by the pod that they name; None where not all of them name one."""
    names = [reply.headers.get(POD_HEADER) for reply in replies]
    return Counter(name for name in names if name) if names and all(names) else None


def foreign(replies: Sequence[Reply], pool: str, pods: Sequence[str]) -> str:
    """A word on replies that name another pool, or a pod that is not among these; empty for none.

    Args:
        replies: whole ones.
        pool: the InferencePool that should have answered.
        pods: its pods; none where they are not known.
    """
    others = Counter(told for reply in replies if (told := reply.headers.get(POOL_HEADER)) not in (None, pool))
    others += Counter(told for reply in replies if pods and (told := reply.headers.get(POD_HEADER)) and told not in pods)
    return ", ".join(f"{count} by {name}" for name, count in others.items())
