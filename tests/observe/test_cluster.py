"""A cluster's answers are values, whatever goes wrong on the way; asked of a server that plays the API server."""

from __future__ import annotations

import json
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inference_rollouts.observe import kubeconfig
from inference_rollouts.observe.cluster import Absent, Cluster, Found, Unreadable
from tests.observe.fake_apiserver import FORBIDDEN, FakeApiServer
from tests.observe.world import deployment, pod, route, sidecar

EXEC_API = "client.authentication.k8s.io/v1beta1"
DEPLOYMENT = "/apis/apps/v1/namespaces/default/deployments/llm-new"
TIMEOUTS = (1.0, 0.3)


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    with FakeApiServer() as fake:
        yield fake


def get(cluster: Cluster) -> Found | Absent | Unreadable:
    return cluster.get("apps/v1", "Deployment", "default", "llm-new")


def reason(answer: Any) -> str:
    assert isinstance(answer, Unreadable), answer
    return answer.reason


def plugin(tmp_path: Path, body: str) -> dict[str, Any]:
    """A credential plugin that runs a few lines of Python."""
    script = tmp_path / "plugin"
    script.write_text(f"#!{sys.executable}\nimport json, os, sys, time\n{body}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"apiVersion": EXEC_API, "command": str(script), "provideClusterInfo": True, "installHint": "Install it"}}


def credential(**status: str) -> str:
    return f"print(json.dumps({{'apiVersion': '{EXEC_API}', 'kind': 'ExecCredential', 'status': {status!r}}}))"


# --- what is there, and what is not -----------------------------------------------------------------------------------


def test_an_object_that_stands_is_found(server: FakeApiServer) -> None:
    server.put(deployment(), route())
    cluster = Cluster(kubeconfig=server.kubeconfig())

    assert get(cluster) == Found(deployment())
    assert cluster.get("gateway.networking.k8s.io/v1", "HTTPRoute", "default", "routes-to-llm") == Found(route())


def test_an_object_that_does_not_stand_is_absent(server: FakeApiServer) -> None:
    assert get(Cluster(kubeconfig=server.kubeconfig())) == Absent()


def test_an_api_that_the_server_does_not_know_is_unreadable_and_not_absent(server: FakeApiServer) -> None:
    server.answers[DEPLOYMENT] = (404, "404 page not found\n")

    assert reason(get(Cluster(kubeconfig=server.kubeconfig()))) == "HTTP 404: 404 page not found"


def test_pods_are_listed_by_their_labels(server: FakeApiServer) -> None:
    server.put(pod("llm-new-a"), pod("llm-a", app="llm"))

    assert Cluster(kubeconfig=server.kubeconfig()).list("v1", "Pod", "default", {"app": "llm"}) == Found(
        [pod("llm-a", app="llm")]
    )


def test_a_pod_is_asked_through_the_api_server(server: FakeApiServer) -> None:
    server.adapters["llm-new-a"] = sidecar(tone_v1="loaded")
    cluster = Cluster(kubeconfig=server.kubeconfig())

    assert cluster.pod_proxy_json("default", "llm-new-a", 8081, "/adapters") == Found(sidecar(tone_v1="loaded"))
    assert "error trying to reach service" in reason(cluster.pod_proxy_json("default", "gone", 8081, "/adapters"))


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_a_refused_right_is_unreadable_with_the_words_of_the_api_server(server: FakeApiServer) -> None:
    server.answers[DEPLOYMENT] = FORBIDDEN

    assert reason(get(Cluster(kubeconfig=server.kubeconfig()))).startswith('HTTP 403: deployments.apps "llm-new" is forbidden')


def test_a_wrong_token_is_unreadable(server: FakeApiServer) -> None:
    server.token = "right"

    assert reason(get(Cluster(kubeconfig=server.kubeconfig({"token": "wrong"})))) == "HTTP 401: Unauthorized"


def test_an_answer_that_is_no_json_is_unreadable(server: FakeApiServer) -> None:
    server.answers[DEPLOYMENT] = (200, "<html>log in</html>")

    assert reason(get(Cluster(kubeconfig=server.kubeconfig()))) == "the answer is no JSON"


def test_a_server_that_is_not_there_is_unreadable(server: FakeApiServer) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"

        assert "Connection refused" in reason(get(Cluster(kubeconfig=server.kubeconfig(server=nobody))))


def test_a_server_that_never_answers_is_unreadable_after_the_time_out(server: FakeApiServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        nobody = f"http://127.0.0.1:{silent.getsockname()[1]}"

        assert "Read timed out" in reason(get(Cluster(kubeconfig=server.kubeconfig(server=nobody), timeouts=TIMEOUTS)))


def test_a_server_without_tls_is_unreadable_where_tls_is_expected(server: FakeApiServer) -> None:
    https = server.url.replace("http://", "https://")

    assert "SSL" in reason(get(Cluster(kubeconfig=server.kubeconfig(server=https))))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "the kubeconfig is no YAML, line 1"),
        ("- a", "the kubeconfig is no map"),
        ("{}", "the kubeconfig cannot be used: Invalid kube-config file. Expected key contexts in kubeconfig"),
        ("contexts: 5", "the kubeconfig cannot be used: AttributeError"),
    ],
)
def test_a_wrong_kubeconfig_is_unreadable(text: str, why: str) -> None:
    assert reason(get(Cluster(kubeconfig=text))).startswith(why)


def test_a_missing_library_is_unreadable(server: FakeApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "kubernetes"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "kubernetes", None)

    assert reason(get(Cluster(kubeconfig=server.kubeconfig()))).startswith("the Python package kubernetes cannot be imported")


def test_what_is_wrong_with_the_connection_is_found_out_once(server: FakeApiServer, tmp_path: Path) -> None:
    count = tmp_path / "count"
    user = plugin(tmp_path, f"open({str(count)!r}, 'a').write('x'); sys.exit('not logged in')")
    cluster = Cluster(kubeconfig=server.kubeconfig(user))

    assert get(cluster) == get(cluster)
    assert count.read_text() == "x"


# --- contexts and credential plugins ----------------------------------------------------------------------------------


def test_a_context_is_taken_from_the_ambient_kubeconfigs(
    server: FakeApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.put(deployment())
    (tmp_path / "one").write_text(server.kubeconfig(server="http://127.0.0.1:1"))
    (tmp_path / "two").write_text(server.kubeconfig().replace('"here"', '"there"'))
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'one'}:{tmp_path / 'two'}")

    assert get(Cluster(context="there")) == Found(deployment())
    assert "nope" in reason(get(Cluster(context="nope")))


def test_no_kubeconfig_at_all_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))

    assert reason(get(Cluster())) == f"there is no kubeconfig at {tmp_path / 'none'}"


def test_the_token_of_a_plugin_is_sent_and_the_plugin_is_told_the_cluster(server: FakeApiServer, tmp_path: Path) -> None:
    server.put(deployment())
    server.token = "from-the-plugin"
    told = tmp_path / "told"
    body = f"open({str(told)!r}, 'w').write(os.environ['KUBERNETES_EXEC_INFO'])\n{credential(token='from-the-plugin')}"

    config = json.loads(server.kubeconfig(plugin(tmp_path, body)))
    own = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "here"}}
    config["clusters"][0]["cluster"]["extensions"] = [{"name": "another", "extension": {}}, own]

    assert get(Cluster(kubeconfig=json.dumps(config))) == Found(deployment())
    assert json.loads(told.read_text())["spec"]["cluster"] == {"server": server.url, "config": {"audience": "here"}}


def test_a_plugin_works_in_an_ambient_kubeconfig_too(
    server: FakeApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.put(deployment())
    server.token = "t"
    (tmp_path / "config").write_text(server.kubeconfig(plugin(tmp_path, credential(token="t"))))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))

    assert get(Cluster(context="here")) == Found(deployment())


def test_a_plugin_may_give_a_certificate(server: FakeApiServer, tmp_path: Path) -> None:
    user = plugin(tmp_path, credential(clientCertificateData="certificate", clientKeyData="key"))
    settings = kubeconfig.connect(server.kubeconfig(user, server="https://127.0.0.1:1"), None).configuration

    assert (Path(settings.cert_file).read_text(), Path(settings.key_file).read_text()) == ("certificate", "key")


def test_a_plugin_that_is_not_installed_is_said_so_with_its_hint(server: FakeApiServer) -> None:
    user = {"exec": {"apiVersion": EXEC_API, "command": "no-such-plugin", "installHint": "Install it with gcloud"}}

    assert reason(get(Cluster(kubeconfig=server.kubeconfig(user)))) == "no-such-plugin is not on PATH. Install it with gcloud"


def test_a_plugin_that_may_not_be_run_is_said_so(server: FakeApiServer, tmp_path: Path) -> None:
    user = {"exec": {"apiVersion": EXEC_API, "command": str(tmp_path)}}

    assert reason(get(Cluster(kubeconfig=server.kubeconfig(user)))) == f"{tmp_path} cannot be run: Permission denied"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("sys.exit('you are not logged in')", "failed with exit code 1: you are not logged in"),
        ("print('hello')", "answered something that is no ExecCredential"),
        (credential(), "the credential plugin gave neither a token nor a certificate"),
        ("time.sleep(60)", "gave no credentials within 0.3 s"),
    ],
)
def test_a_plugin_that_gives_no_credentials_is_unreadable(
    body: str, why: str, server: FakeApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubeconfig, "PLUGIN_TIMEOUT", 0.3 if "sleep" in body else 20.0)

    assert reason(get(Cluster(kubeconfig=server.kubeconfig(plugin(tmp_path, body))))).endswith(why)
    assert server.asked == [], "nobody may ask without the credentials that the kubeconfig names"
