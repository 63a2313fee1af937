"""What a stack finds on the sandbox when its rehearsal begins, with a cluster played."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from inference_rollouts.settings.stack_file import read
from sandbox.live.world import MADE_HERE, furnish
from tests.conftest import ROOT

STACK = read(ROOT / "stacks/Pulumi.node-update.yaml").settings()
NAME = STACK.gateway.name


@dataclass
class Cluster:
    """Gateways that stand, by namespace and name, with their labels."""

    gateways: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)

    def run(self, verb: str, *args: str) -> str:
        if verb == "delete":
            del self.gateways[args[3], args[1]]
            return ""
        items = [{"metadata": {"namespace": ns, "name": name, "labels": of}} for (ns, name), of in self.gateways.items()]
        return json.dumps({"items": items})

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        for about in (manifest["metadata"] for manifest in manifests if manifest["kind"] == "Gateway"):
            self.gateways[about["namespace"], about["name"]] = about["labels"]


def furnished(**gateways: dict[str, str]) -> dict[tuple[str, str], dict[str, str]]:
    """What stands afterwards; a name is of the default namespace."""
    cluster = Cluster({("default", name): labels for name, labels in gateways.items()})
    furnish(cast(Any, cluster), STACK, "istio")
    return cluster.gateways


def test_a_gateway_that_was_made_for_another_stack_goes_and_one_of_others_stays():
    """Istio's Envoy serves the oldest: with that of another stack nobody would answer for this one."""
    stood = furnished(former={MADE_HERE: ""}, theirs={"team": "ml"})
    assert stood == {("default", "theirs"): {"team": "ml"}, ("default", NAME): {MADE_HERE: ""}}


def test_the_stacks_own_gateway_stays_and_is_ours_only_if_it_was():
    """To delete and create it anew between two rollouts would make istiod's proxy another one."""
    assert furnished(**{NAME: {MADE_HERE: ""}}) == {("default", NAME): {MADE_HERE: ""}}
    assert furnished(**{NAME: {}}) == {("default", NAME): {}}
