"""Which way leads to a stack's cluster without Pulumi."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inference_rollouts.observe import gke
from inference_rollouts.observe.access import access_to, context_of
from inference_rollouts.observe.kubeconfig import NoConnection
from inference_rollouts.settings import Cluster

GKE = Cluster(name="c", location="us-central1")
URL = "https://container.googleapis.com/v1/projects/p/locations/us-central1/clusters/c"
FOUND = {
    "name": "c",
    "endpoint": "34.1.2.3",
    "masterAuth": {"clusterCaCertificate": "Q0E="},
    "controlPlaneEndpointsConfig": {
        "dnsEndpointConfig": {"endpoint": "gke-1.us-central1.gke.goog"},
        "ipEndpointsConfig": {"privateEndpoint": "10.0.0.2"},
    },
    "fleet": {"membership": "//gkehub.googleapis.com/projects/p/locations/global/memberships/m"},
}


def write(folder: Path, monkeypatch: pytest.MonkeyPatch, *contexts: str) -> None:
    config: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.example.com"}} for name in contexts],
        "users": [{"name": "me", "user": {"token": "t"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "me"}} for name in contexts],
    }
    (folder / "kubeconfig").write_text(json.dumps(config), "utf-8")
    monkeypatch.setenv("KUBECONFIG", str(folder / "kubeconfig"))


class Google:
    """Stands in for google.auth and for the GKE API."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, status: int = 200, content: Any = FOUND) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.status_code, self.content, self.reason = status, content, "Forbidden"
        monkeypatch.setattr("google.auth.default", lambda scopes, request: (self, None))
        monkeypatch.setattr("requests.get", self.get)

    token = "ya29"

    def refresh(self, request: Any) -> None:
        pass

    def get(self, url: str, headers: dict[str, str], **_: Any) -> Google:
        self.asked.append((url, headers))
        return self

    def json(self) -> Any:
        if self.content is None:
            raise ValueError
        return self.content


def test_a_context_in_the_file_is_taken_from_the_ambient_kubeconfig(tmp_path, monkeypatch):
    write(tmp_path, monkeypatch, "one", "two")
    access = access_to(Cluster(context="two"), None)

    assert (access.kubeconfig, access.context, access.server) == (None, "two", "https://two.example.com")
    assert access.said == "context two of the kubeconfig"


def test_the_context_that_gcloud_writes_is_preferred_to_the_api(tmp_path, monkeypatch):
    google = Google(monkeypatch)
    write(tmp_path, monkeypatch, "gke_p_us-central1_c")
    access = access_to(GKE, "p")

    assert (access.context, access.said, google.asked) == (
        "gke_p_us-central1_c",
        "context gke_p_us-central1_c of the kubeconfig",
        [],
    )


@pytest.mark.parametrize("contexts", [(), ("gke_other_us-central1_c",)])
def test_without_one_the_gke_api_is_asked(tmp_path, monkeypatch, contexts):
    google = Google(monkeypatch)
    write(tmp_path, monkeypatch, *contexts)
    access = access_to(GKE, "p")
    config = json.loads(str(access.kubeconfig))

    assert google.asked == [(URL, {"Authorization": "Bearer ya29"})]
    assert access.server == "https://gke-1.us-central1.gke.goog"
    assert access.said == "projects/p/locations/us-central1/clusters/c, by its dns endpoint from the GKE API"
    assert config["users"] == [{"name": "c", "user": {"token": "ya29"}}]


def test_without_a_kubeconfig_too(monkeypatch):
    Google(monkeypatch)
    monkeypatch.setenv("KUBECONFIG", "/nowhere")

    assert access_to(GKE, "p").context is None


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("dns", ("https://gke-1.us-central1.gke.goog", None)),
        ("private", ("https://10.0.0.2", "Q0E=")),
        ("public", ("https://34.1.2.3", "Q0E=")),
        (
            "connect-gateway",
            ("https://connectgateway.googleapis.com/v1/projects/p/locations/global/gkeMemberships/m", None),
        ),
    ],
)
def test_the_endpoint_is_the_one_that_the_program_takes(endpoint, address):
    assert gke.address(FOUND, endpoint) == address


@pytest.mark.parametrize("endpoint", ["dns", "private", "public", "connect-gateway"])
def test_an_endpoint_that_the_cluster_does_not_have_says_which_to_take(endpoint):
    with pytest.raises(NoConnection, match=r"say cluster\.endpoint"):
        gke.address({"name": "c"}, endpoint)


@pytest.mark.parametrize(
    ("status", "content", "said"),
    [
        (403, {"error": {"message": "Required permission"}}, "HTTP 403 for projects/p/.*: Required permission; log in"),
        (404, None, "HTTP 404 .*Forbidden; log in"),
        (200, [], "HTTP 200"),
    ],
)
def test_an_api_that_does_not_say_is_a_sentence_with_what_to_do(tmp_path, monkeypatch, status, content, said):
    Google(monkeypatch, status, content)
    write(tmp_path, monkeypatch)
    with pytest.raises(NoConnection, match=said) as refused:
        access_to(GKE, "p")

    assert "gcloud container clusters get-credentials c --location us-central1 --project p" in str(refused.value)


def test_credentials_that_are_not_there_are_a_sentence(tmp_path, monkeypatch):
    def none(**_: Any) -> Any:
        raise RuntimeError("Your default credentials were not found.")

    write(tmp_path, monkeypatch)
    monkeypatch.setattr("google.auth.default", none)
    with pytest.raises(NoConnection, match="Your default credentials were not found; log in"):
        access_to(GKE, "p")


def test_a_project_that_nobody_says_is_asked_for():
    with pytest.raises(NoConnection, match=r"set gcp:project, or cluster\.project"):
        access_to(GKE, None)


@pytest.mark.parametrize("text", ["contexts: [", "[]", "contexts: 7"])
def test_a_kubeconfig_that_cannot_be_used_is_a_sentence(tmp_path, monkeypatch, text):
    (tmp_path / "kubeconfig").write_text(text, "utf-8")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    with pytest.raises(NoConnection, match="kubeconfig"):
        access_to(Cluster(context="one"), None)


@pytest.mark.parametrize(
    ("cluster", "project", "context"),
    [(Cluster(context="one"), "p", "one"), (GKE, "p", "gke_p_us-central1_c"), (GKE, None, None)],
)
def test_kubectl_reaches_it_by_the_context(cluster, project, context):
    assert context_of(cluster, project) == context
