"""A cluster that answers, and a world in which nothing does."""

from __future__ import annotations

import sys

import pytest

from inference_rollouts.rehearsal.program import run
from tests.components.live_cluster import STACK, config, live
from tests.conftest import ROOT
from tests.observe.fake_apiserver import FakeApiServer


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A cluster that holds what stage 10 registers, all of it ready; the ambient kubeconfig's context `here`."""
    with FakeApiServer() as server:
        file = tmp_path / "kubeconfig"
        file.write_text(server.kubeconfig())
        monkeypatch.setenv("KUBECONFIG", str(file))
        server.put(*live(run(ROOT, STACK, config(STACK, 10))))
        yield server


@pytest.fixture
def broken_world(monkeypatch):
    """No cluster, and no library to ask one with."""
    monkeypatch.setenv("KUBECONFIG", "/nowhere/kubeconfig")
    for module in list(sys.modules):
        if module.split(".")[0] in ("kubernetes", "google", "requests") and not module.startswith("google.protobuf"):
            monkeypatch.delitem(sys.modules, module)
    for name in ("kubernetes", "google.auth", "requests"):
        monkeypatch.setitem(sys.modules, name, None)
