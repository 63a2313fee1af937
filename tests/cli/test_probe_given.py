"""`rollout probe`: which services, which options, credentials that are never shown, and no way to the cluster."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.live_project import make_live
from tests.cli.probed_project import Probed, ProbedApiServer, gateway, make_probed, pod
from tests.conftest import ROOT
from tests.observe.fake_openai import FakeOpenAI, Said
from tests.observe.test_probe_send import certificate
from tests.observe.world import sidecar

SECRET = "tok-3f9a77"


@pytest.fixture
def probed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Probed]:
    with FakeOpenAI() as openai, ProbedApiServer(behind=openai) as server:
        yield make_probed(tmp_path, monkeypatch, server, openai)


# --- which services ---------------------------------------------------------------------------------------------------


def test_models_and_adapters_are_asked_for_by_the_names_that_clients_send(tmp_path, monkeypatch):
    openai = FakeOpenAI(names=("llm", "tone", "tone-v1"), pods=("canary-a",))
    with openai, ProbedApiServer(behind=openai, adapters={"canary-a": sidecar(tone_v1="loaded")}) as server:
        probed = make_probed(tmp_path, monkeypatch, server, openai, "base-model")
        server.put(pod("canary-a", "llm-pool-version-2"))
        answer = probed.probe()
        asked = probed.generations

    assert answer.code == 0, answer.out + answer.err
    assert "  pass     canary holds its adapters: all of them on 1 Ready pods" in answer.out
    for check in ("chat llm", "chat tone", "completion llm", "completion tone", "streaming chat llm", "streaming chat tone"):
        assert f"  pass     {check}: " in answer.out
    assert {model for _, model in asked[6:]} == {"llm", "tone"}, "warm-up requests load the adapters, too"
    assert "list of models: llm, tone-v1" in answer.out, "the servers know the adapter's version, clients its name"


def test_an_adapter_that_the_canary_does_not_hold_fails(tmp_path, monkeypatch):
    openai = FakeOpenAI(names=("llm",), pods=("canary-a",))
    with openai, ProbedApiServer(behind=openai, adapters={"canary-a": sidecar(tone_v1="loaded")}) as server:
        probed = make_probed(tmp_path, monkeypatch, server, openai, "base-model")
        server.put(pod("canary-a", "llm-pool-version-2"))
        found = probed.findings()

    assert found["chat llm"][0] == "pass"
    assert found["chat tone"][0] == "fail"


def problem(probed: Probed, *arguments: str) -> str:
    """The one sentence; nothing was sent."""
    answer = probed.probe(*arguments)
    assert (answer.code, answer.out) == (1, "")
    assert not probed.openai.asked
    return answer.err.rstrip()


def test_one_service_may_be_named(probed):
    assert probed.probe("llm").code == 0
    probed.openai.asked.clear()
    assert problem(probed, "lm").endswith("services: there is no service lm; did you mean llm?; allowed: llm")


def test_without_a_test_header_it_says_what_to_add(probed):
    probed.edit(', test: { header: x-canary, value: "yes", required: true }', "")
    assert problem(probed).endswith(
        "llm.rollout: has no test, so no header leads to the canary; add test: {header: x-canary, value: …}, and deploy it"
    )


def test_without_a_canary_it_says_where_to_go(probed):
    probed.live.stage("baseline")
    assert problem(probed).endswith(
        "services.llm.rollout.stage: is baseline, where there is no canary to probe; go to prepare first (rollout advance)"
    )


def test_without_a_rollout_it_says_how_to_begin_one(tmp_path, monkeypatch):
    with FakeOpenAI() as openai, ProbedApiServer(behind=openai) as server:
        live = make_live(tmp_path, monkeypatch, "lora-adapter", server)
        sentence = problem(Probed(live, server, openai))
    assert "has no rollout, so there is no canary to probe; begin one (rollout start)" in sentence


# --- no way to the cluster --------------------------------------------------------------------------------------------


def test_a_context_that_is_not_there(probed):
    probed.edit("context: here", "context: there")
    assert "cluster: the kubeconfig (" in problem(probed)


def test_a_cluster_that_refuses_the_credentials(probed):
    probed.server.token = "another"
    answer = probed.probe("--json")
    assert (answer.code, answer.out) == (1, "")
    assert "gives no answer: HTTP 401: Unauthorized; log in anew" in answer.err


# --- options ----------------------------------------------------------------------------------------------------------


def usage(probed: Probed, *arguments: str) -> str:
    answer = probed.probe(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert not probed.openai.asked
    return " ".join(answer.err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--url", "llm.example.com"), "llm.example.com is no URL to send to"),
        (("--url", f"https://me:{SECRET}@x"), "the URL holds credentials"),
        (("--header", "Authorization"), "it is written 'NAME: VALUE'"),
        (("--header", f"Autho rization: {SECRET}"), "it is written 'NAME: VALUE'"),
        (("--header", "Authorization: "), "the value of Authorization is empty"),
        (("--header", f"Authorization: {SECRET}\nX: y"), "holds what no header may hold"),
        (("--header", "Authorization: Bearer @/no/such/file"), "comes from /no/such/file, which cannot be read: No such file"),
        (("--header", "Authorization: ${NO_SUCH_VARIABLE}"), "comes from the variable NO_SUCH_VARIABLE, which is not set"),
        (("--cacert", "/no/such/file"), "holds no certificates"),
        (("--insecure", "--cacert", "x.pem"), "--insecure verifies nothing"),
        (("--requests", "-1"), "should be greater than or equal to 0"),
        (("--skip", "images"), "'images' is not one of"),
    ],
)
def test_what_cannot_be_used_is_a_usage_error_that_shows_no_secret(probed, arguments, said):
    told = usage(probed, *arguments)
    assert said in told
    assert SECRET not in told


def test_a_file_without_certificates_is_no_file_of_cas(probed, tmp_path):
    (tmp_path / "cas.pem").write_text("nothing", "utf-8")
    assert "holds no certificates that can be read" in usage(probed, "--cacert", str(tmp_path / "cas.pem"))


@pytest.mark.parametrize("value", ["Bearer tok-3f9a77", "Bearer @token", "@whole", "Bearer ${LLM_TOKEN}", "Bearer tok-${PART}"])
def test_credentials_come_from_the_line_a_file_or_a_variable_and_are_never_shown(probed, tmp_path, monkeypatch, value):
    monkeypatch.setenv("LLM_TOKEN", SECRET)
    monkeypatch.setenv("PART", "3f9a77")
    (tmp_path / "token").write_text(f"{SECRET}\n", "utf-8")
    (tmp_path / "whole").write_text(f"Bearer {SECRET}\n", "utf-8")
    probed.openai.break_ = lambda asked: Said(401, {"error": f"unknown token {asked.headers['authorization']} {SECRET}"})
    for arguments in ((), ("--json",)):
        answer = probed.probe("--header", f"Authorization: {value}", *arguments)
        assert answer.code == 3
        assert "unknown token … …" in answer.out
        assert SECRET not in answer.out + answer.err

    assert {asked.headers["authorization"] for asked in probed.openai.asked} == {f"Bearer {SECRET}"}


def test_no_warm_up_is_a_choice(probed):
    assert probed.probe("--requests", "0").code == 0
    assert len(probed.generations) == 3


# --- TLS --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def secured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Probed, Path]]:
    folder = tmp_path / "tls"
    folder.mkdir()
    pem, tls = certificate(folder, "llm.example.com")
    assert isinstance(tls, ssl.SSLContext)
    with FakeOpenAI(tls=tls) as openai, ProbedApiServer(behind=openai) as server:
        found = make_probed(tmp_path, monkeypatch, server, openai)
        found.edit("route: { name: routes-to-llm }", "route: { name: routes-to-llm, hostnames: [llm.example.com] }")
        found.live.up()
        server.put(gateway(openai.port, protocol="HTTPS"))
        yield found, pem


def test_certificates_are_verified_for_the_routes_hostname(secured):
    probed, pem = secured
    answer = probed.probe()
    assert answer.code == 3
    assert "chat llm: seen TLS: [SSL: CERTIFICATE_VERIFY_FAILED]" in answer.out
    assert "trust its CA by --cacert FILE" in answer.out
    assert not probed.openai.asked

    assert probed.probe("--cacert", str(pem)).code == 0
    assert {asked.headers["host"] for asked in probed.openai.asked} == {"llm.example.com"}


def test_insecure_is_said_loudly(secured):
    probed, _ = secured
    answer = probed.probe("--insecure", "--json")
    assert answer.code == 0
    assert answer.err == (
        "--insecure: the certificate is not verified, so anybody on the way may have answered, and has seen what was sent\n"
    )
    assert json.loads(answer.out)["services"][0]["verified"] is False


# --- what it loads ----------------------------------------------------------------------------------------------------


def test_neither_the_commands_nor_a_probe_load_pulumi():
    code = (
        "import sys, inference_rollouts.cli.main as main\nmain.everything()\n"
        "heavy = {'requests', 'kubernetes', 'pulumi'} & sys.modules.keys()\n"
        "import inference_rollouts.cli.probe\n"
        "print(sorted(heavy), 'pulumi' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    assert told == "[] False\n"
