"""Where the requests for an adapter went: the reply keeps the name that was asked for, so the endpoint pickers are asked.

Their counter inference_extension_model_rewrite_decisions_total{model_name, target_model} counts each request once (GIE,
pkg/epp/metrics).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sandbox.apply.kubectl import Kubectl
from sandbox.traffic.counts import PhaseCount

METRIC = "inference_extension_model_rewrite_decisions_total"
METRICS_PORT = 9090
LINE = re.compile(rf"^{METRIC}{{(?P<labels>[^}}]*)}} (?P<value>\S+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass
class ByDecision:
    """The decisions of the pickers of some pools, on one model name.

    Attributes:
        kubectl: of the cluster.
        namespace: of the pickers.
        pickers: names of their Deployments.
        model: what clients ask for.
    """

    kubectl: Kubectl
    namespace: str
    pickers: tuple[str, ...]
    model: str
    _before: Counter[str] = field(default_factory=Counter, init=False)

    def begin(self) -> None:
        """A phase begins: what was decided so far does not count."""
        self._before = self._now()

    def served(self, phase: PhaseCount) -> Mapping[str, int]:  # noqa: ARG002 (the pickers count, not the load tool)
        """Adapter version → requests since the phase began."""
        now = self._now()
        return {name: count for name in now if (count := now[name] - self._before[name])}

    def portion(self, models: Mapping[str, float]) -> float:
        """The part that asks for this model."""
        return models[self.model] / sum(models.values())

    def _now(self) -> Counter[str]:
        counted: Counter[str] = Counter()
        for picker in self.pickers:
            for pod in self._pods(picker):
                path = f"/api/v1/namespaces/{self.namespace}/pods/{pod}:{METRICS_PORT}/proxy/metrics"
                counted.update(decisions(self.kubectl.run("get", "--raw", path), self.model))
        return counted

    def _pods(self, picker: str) -> Iterable[str]:
        names = self.kubectl.run("get", "pods", "-n", self.namespace, "-o", "jsonpath={.items[*].metadata.name}")
        return [name for name in names.split() if re.fullmatch(rf"{re.escape(picker)}-[a-z0-9]+-[a-z0-9]+", name)]


def decisions(text: str, model: str) -> Counter[str]:
    """From the metrics' text to requests by target.

    >>> decisions('inference_extension_model_rewrite_decisions_total{model_name="llm",target_model="llm-v2"} 3', "llm")
    Counter({'llm-v2': 3})
    """
    counted: Counter[str] = Counter()
    for line in LINE.finditer(text):
        labels = dict(LABEL.findall(line["labels"]))
        if labels.get("model_name") == model:
            counted[labels["target_model"]] += int(float(line["value"]))
    return counted
