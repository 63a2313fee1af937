"""The pack itself: what it can be started with, and the real one, asked over gRPC as the engine asks it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
import yaml

from inference_rollouts.predicates import UNKNOWN, Resource
from policies.rules import ON_RESOURCE, ON_STACK
from tests.conftest import ROOT
from tests.policies.engine import FOLDER, Diagnostic, Pack, pack_python
from tests.policies.states import BAD, policy, pool, recorded, ref, route, said

NAMES = [rule.name for rule in (*ON_RESOURCE, *ON_STACK)]


# --- without a policy library -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["inference_rollouts.predicates", "policies.rules"])
def test_the_rules_need_nothing_but_the_standard_library(module):
    program = f"import sys; sys.path.append({str(ROOT)!r}); import {module}"

    # -S: without any environment's packages; -I: without this folder and the user's.
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False)

    assert done.stderr == ""


def test_policy_names_are_unique_and_the_readme_describes_each_of_them_and_no_other():
    readme = (FOLDER / "README.md").read_text("utf-8")
    table = re.findall(r"^\| `([a-z-]+)` \|", readme, re.MULTILINE)

    assert sorted(table) == sorted(set(NAMES))


def test_the_config_that_the_readme_shows_is_json_for_policies_that_exist():
    (block,) = re.findall(r"```json\n(.*?)```", (FOLDER / "README.md").read_text("utf-8"), re.DOTALL)

    assert json.loads(block).keys() <= {*NAMES, "all"}


def test_the_pack_has_an_environment_of_its_own_with_exact_pins_and_the_programs_pulumi():
    manifest = yaml.safe_load((FOLDER / "PulumiPolicy.yaml").read_text("utf-8"))
    pins = [line for line in (FOLDER / "requirements.txt").read_text("utf-8").splitlines() if not line.startswith("#")]

    assert manifest["runtime"] == {"name": "python", "options": {"virtualenv": "venv"}}
    assert all(re.fullmatch(r"[a-z-]+==[0-9.]+", pin) for pin in pins)
    assert set(pins) & set((ROOT / "requirements.txt").read_text("utf-8").splitlines()) == {"pulumi==3.272.0"}


# --- the real pack ----------------------------------------------------------------------------------------------------


@pytest.fixture
def pack() -> Iterator[Pack]:
    python = pack_python()
    if python is None:
        pytest.skip("no pulumi-policy: make policies/venv as policies/README.md says, or name a Python in POLICY_PYTHON")
    running = Pack(python)
    yield running
    running.close()


def asked(pack: Pack, state: list[Resource] | tuple[Resource, ...]) -> list[Diagnostic]:
    """As a preview asks: each resource, then all of them."""
    return [d for resource in state for d in pack.analyze(resource)] + pack.analyze_stack(state)


def test_the_pack_tells_all_its_policies_as_mandatory(pack):
    info = pack.info()

    assert info.name == "inference-rollouts"
    assert [(p.name, p.enforcementLevel) for p in info.policies] == [(name, 1) for name in NAMES]
    assert [p.name for p in info.policies if p.configSchema.properties] == ["backend-pool"]


@pytest.mark.parametrize(("stack", "step"), [("node-update", 10), ("base-model", "prepare"), ("lora-adapter", 10)])
def test_the_pack_lets_our_own_stacks_pass(pack, stack, step):
    assert asked(pack, recorded(stack, 0, step)) == []


@pytest.mark.parametrize("name", BAD)
def test_the_pack_says_what_the_rule_says_under_its_own_name_and_mandatory(pack, name):
    found = asked(pack, BAD[name])
    wanted = said(BAD[name])

    assert {d.policy for d in found} == {name}
    assert all(d.mandatory for d in found)
    assert sorted(d.message.partition("\n")[2] for d in found) == sorted(wanted[name])


def test_a_violation_among_all_resources_names_the_resource(pack):
    bare = pool("chat", protect=False)

    (found,) = asked(pack, [route(ref("chat")), bare])

    assert found.urn == bare.urn


def test_parts_of_a_version_are_found_through_their_parents(pack):
    state = [Resource(r.type, r.inputs, r.urn, r.sort[1] != "NodePool", r.parent) for r in recorded("node-update", 0, 10)]

    assert [d.policy for d in asked(pack, state)] == ["traffic-protected"] * 2


@pytest.mark.parametrize("name", [rule.name for rule in ON_STACK])
def test_the_pack_judges_inputs_where_a_preview_has_no_outputs_yet(pack, name):
    """As on a cluster that the same stack creates: the kubernetes provider is not configured, and all outputs are empty."""
    for resource in BAD[name]:
        pack.analyze(resource)

    found = pack.analyze_stack([Resource(r.type, {}, r.urn, r.protect, r.parent) for r in BAD[name]])

    assert {d.policy for d in found} == {name}


@pytest.mark.parametrize("backend", [ref("chat", UNKNOWN), ref(UNKNOWN), ref("chat", group=UNKNOWN), UNKNOWN], ids=str)
def test_an_unknown_value_is_a_violation_and_no_advice_that_a_policy_cannot_run(pack, backend):
    found = asked(pack, [route(backend), pool("chat")])

    assert found
    assert all(d.mandatory and "is known only after the update" in d.message for d in found)


def test_external_pools_are_declared_in_the_policys_config(pack):
    state = [route(ref("theirs"))]
    assert [d.policy for d in asked(pack, state)] == ["backend-pool"]

    pack.configure("backend-pool", externalPools=["default/theirs"])

    assert asked(pack, state) == []


def test_a_level_can_be_lowered_and_the_policy_still_speaks(pack):
    pack.configure("session-affinity", mandatory=False)

    (found,) = asked(pack, [policy("GCPBackendPolicy", "chat", sessionAffinity={"type": "CLIENT_IP"})])

    assert (found.policy, found.mandatory) == ("session-affinity", False)
