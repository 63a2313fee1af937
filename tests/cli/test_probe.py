"""`rollout probe`: what it sends, what it says of each failure, and what it leaves on the route."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference_rollouts.cli import probe as verb
from inference_rollouts.errors import InputError, Problem
from inference_rollouts.observe import probe_pods
from inference_rollouts.observe.bake import last_writer
from inference_rollouts.probed import CANARY_ANNOTATION, PROBE_ANNOTATION
from tests.cli.probed_project import Probed, ProbedApiServer, gateway, make_probed, pod
from tests.conftest import ROOT
from tests.observe.fake_apiserver import FORBIDDEN, path_of
from tests.observe.fake_openai import FakeOpenAI, Said, events
from tests.observe.server_side import by_hand

ROUTE = "HTTPRoute default/routes-to-llm"


@pytest.fixture
def probed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Probed]:
    monkeypatch.setattr(probe_pods, "SETTLES", 0.3)
    with FakeOpenAI() as openai, ProbedApiServer(behind=openai) as server:
        yield make_probed(tmp_path, monkeypatch, server, openai)


# --- it passes --------------------------------------------------------------------------------------------------------


def test_a_canary_that_answers_passes_and_the_route_says_so(probed):
    answer = probed.probe()
    lines = answer.out.splitlines()

    assert (answer.code, answer.err) == (0, "")
    assert lines[0] == "service llm  probe of llm-new by x-canary: yes"
    assert "  pass     test rule: x-canary: yes goes to InferencePool llm-new alone, generation 2" in lines
    assert f"  to {probed.openai.url} (Gateway default/my-inference-gateway, listener web)" in lines
    for check in ("chat llm: HTTP 200", "completion llm: HTTP 200", "streaming chat llm: 2 events", "list of models: llm"):
        assert f"  pass     {check}" in answer.out
    assert "  pass     warm-up: 8 of 8 answered; first byte p50 0." in answer.out
    assert "  pass     canary answered: all 11 replies name a pod of it" in lines
    assert "  pass     every pod: 2 of 2: llm-new-a " in answer.out
    assert lines[-3:] == [
        "service llm: passed, with 11 requests",
        f"evidence written to {ROUTE} (annotation inference-rollouts/probe)",
        "Next: rollout advance node-update llm",
    ]


def test_every_request_has_the_header_and_a_prompt_of_its_own(probed):
    assert probed.probe().code == 0
    asked = probed.openai.asked

    assert {request.headers["x-canary"] for request in asked} == {"yes"}
    assert len({json.dumps(request.body) for request in asked if request.body}) == len(probed.generations) == 11
    assert {path for path, _ in probed.generations} == {"/v1/chat/completions", "/v1/completions"}


def test_the_evidence_is_about_the_canary_as_it_is_deployed(probed):
    probed.probe()
    evidence = probed.evidence

    assert evidence
    assert (evidence["to"], evidence["requests"]) == ("llm-new", 11)
    assert evidence["digest"] == probed.route["metadata"]["annotations"][CANARY_ANNOTATION]


def test_it_writes_one_annotation_in_a_name_of_its_own_and_nothing_else(probed):
    before = copy.deepcopy(probed.route)
    probed.server.applied.clear()
    probed.probe()
    after, ((path, sent),) = copy.deepcopy(probed.route), probed.server.applied
    last = last_writer(before)

    assert "fieldManager=rollout-probe" in path
    assert sent.keys() == {"apiVersion", "kind", "metadata"}
    assert sent["metadata"].keys() == {"name", "namespace", "uid", "resourceVersion", "annotations"}
    assert last_writer(after) == last is not None, "the time at the rung goes on"
    assert after["metadata"]["annotations"].pop(PROBE_ANNOTATION)
    kept = ("annotations", "labels", "generation", "name", "uid")
    assert {key: after["metadata"].get(key) for key in kept} == {key: before["metadata"].get(key) for key in kept}
    assert after["spec"] == before["spec"]


def test_pulumis_next_update_leaves_it_there_and_the_one_that_changes_the_canary_makes_it_worthless(probed):
    probed.probe()
    evidence = probed.evidence
    probed.live.up(1)
    assert probed.evidence == evidence

    probed.edit("replicas: 2", "replicas: 2, args: [--max-model-len=8192]")
    probed.live.up("prepare")
    assert probed.evidence == evidence
    assert evidence["digest"] != probed.route["metadata"]["annotations"][CANARY_ANNOTATION]


def test_the_first_raise_waits_for_it(probed):
    refused = probed.rollout("advance", "node-update", "--if-ready", "--yes")
    assert refused.code == 3
    assert "probe: seen none on the route" in refused.err
    assert refused.err.rstrip().endswith("run: rollout probe node-update")

    assert probed.probe().code == 0
    assert probed.rollout("advance", "node-update", "--if-ready", "--yes").code == 0
    assert probed.live.staged == "1"


def test_a_second_probe_takes_the_place_of_the_first(probed):
    probed.probe()
    first = probed.evidence
    probed.probe("--requests", "3")
    assert (first["requests"], probed.evidence["requests"]) == (11, 6)
    managers = [entry["manager"] for entry in probed.route["metadata"]["managedFields"]]
    assert managers.count("rollout-probe") == 1


def test_json_is_one_document_and_nothing_else(probed):
    answer = probed.probe("--json")
    (service,) = json.loads(answer.out)["services"]

    assert (answer.code, answer.err) == (0, "")
    assert (service["service"], service["canary"], service["passed"], service["requests"]) == ("llm", "llm-new", True, 11)
    assert service["to"] == {"url": probed.openai.url, "host": None, "at": "Gateway default/my-inference-gateway, listener web"}
    assert service["warmUp"]["seconds"]["first"].keys() == {"p50", "p95", "max"}
    assert (service["evidence"], service["evidenceProblem"]) == (probed.evidence, None)


def test_a_cluster_that_falls_silent_at_the_second_service_hides_nothing_of_the_first(probed, monkeypatch):
    chosen, one, asked = verb._chosen, verb._one, []

    def first_only(*given):
        asked.append(given)
        if len(asked) == 1:
            return one(*given)
        raise InputError([Problem("cluster", "gives no answer")])

    monkeypatch.setattr(verb, "_chosen", lambda *given: 2 * chosen(*given))
    monkeypatch.setattr(verb, "_one", first_only)
    ended = probed.probe("--json")

    assert (ended.code, ended.err) == (1, "cluster: gives no answer\n")
    (service,) = json.loads(ended.out)["services"]
    assert (service["service"], service["passed"]) == ("llm", True)


def test_no_evidence_only_tests(probed):
    before = copy.deepcopy(probed.route)
    answer = probed.probe("--no-evidence")

    assert (answer.code, answer.out.splitlines()[-1]) == (0, "service llm: passed, with 11 requests")
    assert probed.route == before


def test_a_hostname_of_the_route_is_asked_for(probed):
    probed.edit("route: { name: routes-to-llm }", "route: { name: routes-to-llm, hostnames: ['*.example.com'] }")
    probed.live.up()
    assert probed.probe().code == 0
    assert {asked.headers["host"] for asked in probed.openai.asked} == {"rollout-probe.example.com"}


def test_what_servers_do_not_speak_can_be_left_out(probed):
    probed.openai.break_ = lambda asked: Said(400, "no chat template") if "chat" in asked.path else None
    assert probed.findings()["chat llm"] == ("fail", "HTTP 400: no chat template")
    assert probed.findings("--skip", "chat", "--skip", "stream")["warm-up"][0] == "pass"
    assert probed.evidence


def plain(text: str) -> list[str]:
    """Without what differs from one run to the next."""
    return [re.sub(r"0\.\d{3} s|\b[0-9a-f]{16}\b|http://[\d.:]+|(?<=llm-new-[ab] )\d+", "…", line) for line in text.splitlines()]


def test_the_documentation_shows_what_it_says(probed):
    probed.openai.tells = False
    shown = (ROOT / "docs/probe.md").read_text("utf-8").split("$ rollout probe node-update\n")[1].split("```")[0]
    assert plain(probed.probe().out) == plain(shown)


# --- who answered -----------------------------------------------------------------------------------------------------


def test_without_a_word_in_the_replies_the_counters_of_the_pods_tell(probed):
    probed.openai.tells = False
    found = probed.findings()

    assert found["canary answered"] == ("pass", "11 more generations counted by its 2 Ready pods, after 11 answers")
    assert found["every pod"][0] == "pass"
    assert sum(probed.openai.counts.values()) == 11


def test_counters_that_stand_still_mean_that_somebody_else_answered(probed):
    probed.openai.tells, probed.openai.pods = False, ("llm-a",)
    answer = probed.probe()

    assert answer.code == 3
    assert "fail     canary answered: seen 0 more generations counted by its 2 Ready pods, after 35 answers" in answer.out
    assert probed.evidence is None


def test_a_reply_that_names_another_versions_pod_fails(probed):
    probed.openai.pods = ("llm-new-a", "llm-a")
    answer = probed.probe()

    assert answer.code == 3
    assert "by llm-a of " in answer.out
    assert "see who else sends this header's requests elsewhere" in answer.out
    assert probed.evidence is None


def test_where_nothing_tells_the_rule_of_the_route_is_what_it_rests_on(probed):
    probed.openai.tells, probed.server.no_metrics = False, True
    found = probed.findings()

    assert found["canary answered"][0] == "pass"
    assert (
        "which version answered could not be told (the counters of llm-new-a cannot be read: HTTP 403"
        in found["canary answered"][1]
    )
    assert found["canary answered"][1].endswith("; the route's test rule sends to it alone")
    assert found["every pod"] == ("pass", "which pods answered could not be told")
    assert probed.evidence


def test_a_url_that_nothing_proves_to_be_the_canary_is_unknown(probed):
    probed.openai.tells, probed.server.no_metrics = False, True
    answer = probed.probe("--url", probed.openai.url)

    assert answer.code == 3
    assert "unknown  canary answered: seen which version answered could not be told" in answer.out
    assert "leave --url out" in answer.out
    assert probed.evidence is None


def test_a_url_whose_answers_are_proved_to_be_the_canarys_passes(probed):
    probed.openai.tells = False
    answer = probed.probe("--url", f"{probed.openai.url}/front")

    assert answer.code == 0
    assert f"  to {probed.openai.url}/front (--url)" in answer.out
    assert probed.openai.asked[0].path == "/front/v1/chat/completions"
    assert probed.evidence


def test_with_weight_the_counters_prove_nothing(probed):
    probed.live.up(10)
    probed.openai.tells = False
    found = probed.findings()
    assert "could not be told (it has 10 % of the other traffic, too)" in found["canary answered"][1]
    assert probed.evidence


def test_a_pod_that_gets_nothing_after_all_rounds_fails(probed):
    probed.server.put(pod("llm-new-c", "llm-new"), pod("llm-new-d", "llm-new", ready=False))
    answer = probed.probe("--requests", "5")

    assert answer.code == 3
    assert "fail     every pod: seen no request to llm-new-c, of 3 Ready pods, wanted every Ready pod has answered" in answer.out
    assert "send more (--requests), or see whether the endpoint picker knows these pods" in answer.out
    assert len(probed.generations) == 3 + 4 * 5


def test_warming_up_goes_on_until_every_pod_has_had_one(probed):
    turns = iter(["llm-new-a"] * 13 + ["llm-new-b"] * 99)
    probed.openai.break_ = lambda asked: (
        Said(200, events("stop"), {"x-inference-pod": next(turns)}) if "stream" in asked.body else None
    )
    probed.openai.pods = ("llm-new-a",)
    found = probed.findings("--requests", "5")

    assert found["every pod"][0] == "pass"
    assert len(probed.generations) == 3 + 3 * 5


def test_a_pool_with_prometheus_alone_is_told_by_prometheus(probed, monkeypatch):
    from inference_rollouts.observe import probe_scraped
    from tests.observe.fake_prometheus import FakePrometheus, vector

    monkeypatch.setattr(probe_scraped, "EVERY", 0.01)
    probed.openai.tells, probed.server.no_metrics = False, True
    with FakePrometheus(lambda query: vector(str(sum(probed.openai.counts.values())))) as it:
        probed.edit("config:\n", f"config:\n  inference-rollouts:metrics: {{ url: '{it.url}' }}\n")
        found = probed.findings("--url", probed.openai.url)
    assert found["canary answered"] == ("pass", "11 more generations counted by Prometheus, after 11 answers")


def test_a_prometheus_that_does_not_count_it_in_time_tells_nothing(probed, monkeypatch):
    from inference_rollouts.observe import probe_scraped
    from tests.observe.fake_prometheus import FakePrometheus, vector

    monkeypatch.setattr(probe_scraped, "EVERY", 0.01)
    monkeypatch.setattr(probe_scraped, "PATIENCE", 0.1)
    probed.openai.tells, probed.server.no_metrics = False, True
    with FakePrometheus(lambda _: vector("5")) as it:
        probed.edit("config:\n", f"config:\n  inference-rollouts:metrics: {{ url: '{it.url}' }}\n")
        assert probed.findings("--url", probed.openai.url)["canary answered"][0] == "unknown"


# --- nothing is sent --------------------------------------------------------------------------------------------------


def refused(probed: Probed, *arguments: str) -> str:
    """The one line that did not pass; nothing was sent, and nothing written."""
    answer = probed.probe(*arguments)
    lines = [line for line in answer.out.splitlines() if line.startswith(("  fail", "  unknown"))]
    assert (answer.code, answer.err, len(lines)) == (3, "", 1), answer.out
    assert answer.out.splitlines()[-1].endswith("did not pass; nothing was sent")
    assert not probed.openai.asked
    assert probed.evidence is None
    return lines[0]


def test_a_file_that_is_ahead_of_what_is_deployed_is_refused(probed):
    digest = probed.route["metadata"]["annotations"][CANARY_ANNOTATION]
    probed.edit("replicas: 2", "replicas: 2, args: [--max-model-len=8192]")
    line = refused(probed)

    assert (
        f"canary as in the file: seen llm-new as {digest}, so the file is ahead of what is deployed, wanted llm-new as the file"
        in line
    )
    assert line.endswith("deploy the stack file first (pulumi up), or only test what is deployed: --no-evidence")
    assert probed.probe("--no-evidence").code == 0


def test_a_stage_that_is_ahead_is_another_matter(probed):
    probed.live.stage(1)
    assert probed.probe().code == 0


def test_a_route_without_the_rule_is_told_to_be_deployed(probed):
    rules = copy.deepcopy(probed.route["spec"]["rules"][1:])
    probed.live.touch(lambda value: value["spec"].update(rules=rules))
    assert refused(probed).endswith("deploy the stack file first (pulumi up): the rule comes with rollout.test")


def test_a_route_that_is_not_there_is_told_to_be_deployed(probed):
    del probed.server.objects[path_of(probed.route)]
    answer = probed.probe()
    assert answer.code == 3
    assert (
        f"test rule: seen nothing of that name, wanted the route of the stack file ({ROUTE}); deploy the stack file first"
        in answer.out
    )
    assert not probed.openai.asked


def test_a_route_that_the_gateway_does_not_take_is_not_asked(probed):
    for condition in probed.route["status"]["parents"][0]["conditions"]:
        condition["status"] = "False"
    assert "route accepted: seen Accepted False" in refused(probed)


def test_a_status_of_an_earlier_generation_leaves_no_evidence(probed):
    for condition in probed.route["status"]["parents"][0]["conditions"]:
        condition["observedGeneration"] = 1
    answer = probed.probe()
    assert answer.code == 3
    assert "unknown  route accepted: seen Accepted about generation 1, while 2 stands" in answer.out
    assert (probed.evidence, len(probed.openai.asked)) == (None, 12)


def test_a_canary_that_is_not_ready_is_not_asked(probed):
    next(v for v in probed.server.objects.values() if v["metadata"]["name"] == "llm-new")["status"]["availableReplicas"] = 1
    assert "canary ready: seen 1 of 2 replicas available, wanted 2 (Deployment default/llm-new)" in refused(probed)


def test_a_gateway_without_an_address(probed):
    value = gateway(80)
    value["status"] = {"conditions": [{"type": "Programmed", "status": "False", "reason": "Pending", "message": "no quota"}]}
    probed.server.put(value)
    line = refused(probed)
    assert (
        "gateway: seen no address (Programmed False: no quota), wanted an address to send to (Gateway default/my-inference"
        in line
    )
    assert line.endswith("wait until it is programmed, or give --url")


def test_a_gateway_that_is_not_there_and_one_that_cannot_be_read(probed):
    del probed.server.objects[path_of(gateway(80))]
    assert "gateway: seen nothing of that name" in refused(probed)
    probed.server.answers[path_of(gateway(80))] = FORBIDDEN
    assert "unknown  gateway: seen no answer: HTTP 403" in refused(probed)
    assert probed.probe("--url", probed.openai.url).code == 0


def test_a_route_that_no_request_of_the_api_fits(probed):
    probed.edit(
        "route: { name: routes-to-llm }", "route: { name: routes-to-llm, matches: [{ path: { type: Exact, value: /chat } }] }"
    )
    probed.live.up()
    assert "requests: seen nothing to send: no match of the test rule takes POST /v1/chat/completions" in refused(probed)


# --- something is sent, and fails -------------------------------------------------------------------------------------


def test_a_gateway_that_cannot_be_reached_is_asked_once(probed):
    with FakeOpenAI() as gone:
        probed.server.put(gateway(gone.port))
    answer = probed.probe()
    assert answer.code == 3
    assert "chat llm: seen no connection: Failed to establish a new connection: [Errno 111] Connection refused" in answer.out
    assert "run it where the Gateway can be reached (its network, a VPN), or give --url" in answer.out
    assert answer.out.splitlines()[-1] == "service llm: 1 of 7 did not pass; 1 request was sent"


def test_a_name_that_the_servers_do_not_know(probed):
    probed.openai.names = ("other",)
    found = probed.findings()
    assert found["chat llm"][1].startswith('HTTP 404: {"error": {"message": "The model `llm` does not exist."')
    assert "warm-up" not in found
    assert probed.evidence is None


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        (Said(200, events(None, "stop", done=False)), "seen a stream that does not end in [DONE]"),
        (Said(200, events(None, None)), "seen a stream of 2 events without a finish_reason"),
        (Said(200, [*events(None, done=False), "CUT"]), "seen HTTP 200, then the answer broke off, after: "),
        (Said(503, "no healthy upstream"), "seen HTTP 503: no healthy upstream"),
    ],
)
def test_a_stream_that_is_not_whole_fails(probed, said, seen):
    probed.openai.break_ = lambda asked: said if asked.body.get("stream") else None
    answer = probed.probe()
    assert answer.code == 3
    assert f"  fail     streaming chat llm: {seen}" in answer.out
    assert probed.evidence is None


def test_a_list_of_models_that_lacks_one(probed):
    probed.openai.break_ = lambda asked: Said(200, {"data": [{"id": "x"}]}) if asked.path == "/v1/models" else None
    answer = probed.probe()
    assert answer.code == 3
    assert f"  fail     list of models: seen x, without llm, wanted llm ({probed.openai.url})" in answer.out


def test_one_failure_among_the_warm_up_requests_is_one_too_many(probed):
    answers = iter([None] * 5 + [Said(500, "engine dead")] + [None] * 99)
    probed.openai.break_ = lambda asked: next(answers)
    answer = probed.probe()
    assert answer.code == 3
    assert "  fail     warm-up: seen 1 of 8 failed, as by HTTP 500: engine dead, wanted all of them answered" in answer.out
    assert probed.evidence is None


def test_a_server_that_takes_too_long(probed):
    probed.openai.break_ = lambda _: Said(200, [2.0])
    answer = probed.probe("--timeout", "0.2")
    assert answer.code == 3
    assert "chat llm: seen HTTP 200, then nothing for 0.2 s in the middle of the answer" in answer.out


# --- evidence that cannot be written ----------------------------------------------------------------------------------


def test_without_the_right_to_patch_the_results_are_shown_and_it_says_so(probed):
    probed.server.forbidden = True
    answer = probed.probe()

    assert answer.code == 3
    assert "service llm: passed, with 11 requests" in answer.out
    assert answer.err == (
        f'service llm: the evidence is not written: {ROUTE} cannot be written: HTTP 403: User "ci" cannot patch resource '
        '"httproutes"; ask for the right to patch httproutes, or run the probe where that right is\n'
    )
    (service,) = json.loads(probed.probe("--json").out)["services"]
    assert (service["passed"], service["evidence"]) == (True, None)
    assert "HTTP 403" in service["evidenceProblem"]


def test_a_status_that_is_written_meanwhile_is_no_matter(probed):
    def touch(path: str) -> None:
        probed.server.before_patch = lambda _: None
        probed.server.put(by_hand(probed.route, lambda value: value["metadata"]["labels"].update(x="y"), "controller"))

    probed.server.before_patch = touch
    assert probed.probe().code == 0
    assert (probed.evidence["requests"], probed.route["metadata"]["labels"]["x"]) == (11, "y")


def test_a_route_that_is_always_written_meanwhile_is_told(probed):
    def touch(path: str) -> None:
        probed.server.put(by_hand(probed.route, lambda value: value["metadata"]["labels"].update(x="y"), "controller"))

    probed.server.before_patch = touch
    answer = probed.probe()
    assert answer.code == 3
    assert "cannot be written: HTTP 409: the object has been modified" in answer.err
    assert len([path for path, _ in probed.server.applied if "rollout-probe" in path]) == 5


def test_a_canary_that_is_deployed_meanwhile_has_not_been_probed(probed):
    def deploy(asked):
        if len(probed.openai.asked) == 5:
            probed.edit("replicas: 2", "replicas: 2, args: [--max-model-len=8192]")
            probed.live.up()

    probed.openai.break_ = deploy
    answer = probed.probe()
    assert answer.code == 3
    assert answer.err.endswith("was changed while it was probed, so the probe is about another canary; run it again\n")
    assert probed.evidence is None
