"""The order of changes, delays, settings, and the store: without Envoy and without a cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.gateway.admin import Standing
from sandbox.gateway.clusters import Target
from sandbox.gateway.delay import DelayLine
from sandbox.gateway.files import GatewayFiles, read_json, write_json
from sandbox.gateway.kinds import GATEWAY, POD
from sandbox.gateway.publish import LEAST_DRAIN, Publisher
from sandbox.gateway.settings import Settings, SettingsFile, parse
from sandbox.gateway.snapshot import Snapshot
from sandbox.gateway.store import Store
from sandbox.home import Home


class Envoy:
    """Takes what is in the files when it is told to."""

    def __init__(self, files: GatewayFiles) -> None:
        self.files, self.clusters, self.routes, self.warming = files, "", "", 0

    def take(self, *kinds: str) -> None:
        for kind in kinds:
            setattr(self, kind, read_json(getattr(self.files, kind))["version_info"])

    def standing(self) -> Standing | None:
        return Standing(self.clusters, self.routes, self.warming, 0)


@pytest.fixture
def files(tmp_path: Path) -> GatewayFiles:
    found = GatewayFiles(Home(tmp_path))
    found.make_folders()
    return found


def snapshot(*names: str, drain: int = 0) -> Snapshot:
    return Snapshot({"uses": list(names)}, {n: {"name": n} for n in names}, dict.fromkeys(names, drain), ())


def target(name: str, *ips: str) -> Target:
    return Target({"name": name}, tuple((ip, 8000) for ip in ips), 0)


def in_clusters(files: GatewayFiles) -> list[str]:
    return [c["name"] for c in read_json(files.clusters)["resources"]]


def in_routes(files: GatewayFiles) -> Any:
    document = read_json(files.routes)
    return document["resources"][0]["uses"] if document else None


def settle(publisher: Publisher, envoy: Envoy, now: float) -> Snapshot | None:
    publisher.advance(now)
    envoy.take("clusters")
    publisher.advance(now)
    envoy.take("routes")
    return publisher.advance(now)


def test_clusters_then_routes_then_the_word(files: GatewayFiles) -> None:
    envoy, wanted = Envoy(files), snapshot("a", "b")
    publisher = Publisher(files, envoy)
    publisher.want(wanted)
    assert publisher.advance(0) is None
    assert (in_clusters(files), in_routes(files)) == (["a", "b"], None)
    envoy.take("clusters")
    envoy.warming = 1
    assert publisher.advance(0) is None
    assert in_routes(files) is None  # a cluster is still cold
    envoy.warming = 0
    assert publisher.advance(0) is None
    assert in_routes(files) == ["a", "b"]
    assert publisher.busy
    envoy.take("routes")
    assert publisher.advance(0) is wanted
    assert publisher.advance(0) is None
    assert not publisher.busy


def test_cluster_leaves_last_and_after_its_drain(files: GatewayFiles) -> None:
    envoy = Envoy(files)
    publisher = Publisher(files, envoy)
    publisher.want(snapshot("a", "b", drain=20))
    settle(publisher, envoy, 0)
    publisher.want(snapshot("b", drain=20))
    settle(publisher, envoy, 100)
    assert (in_clusters(files), in_routes(files)) == (["a", "b"], ["b"])
    assert publisher.next() == 120
    publisher.advance(119.9)
    assert in_clusters(files) == ["a", "b"]
    publisher.advance(120)
    assert in_clusters(files) == ["b"]
    assert not files.endpoints("a").exists()
    assert publisher.next() is None


def test_cluster_that_comes_back_stays(files: GatewayFiles) -> None:
    envoy = Envoy(files)
    publisher = Publisher(files, envoy)
    for now, names in ((0, "ab"), (100, "b"), (101, "ab")):
        publisher.want(snapshot(*names))
        settle(publisher, envoy, now)
    publisher.advance(1000)
    assert in_clusters(files) == ["a", "b"]


def test_newer_wish_overtakes_one_that_is_under_way(files: GatewayFiles) -> None:
    envoy, last = Envoy(files), snapshot("b")
    publisher = Publisher(files, envoy)
    publisher.want(snapshot("a"))
    publisher.advance(0)
    publisher.want(last)
    assert settle(publisher, envoy, 0) is last
    assert (in_clusters(files), in_routes(files)) == (["a", "b"], ["b"])


def test_restart_goes_on_from_the_files(files: GatewayFiles) -> None:
    envoy = Envoy(files)
    first = Publisher(files, envoy)
    first.want(snapshot("a", "b"))
    settle(first, envoy, 0)
    before = files.clusters.read_bytes(), files.routes.stat().st_mtime_ns
    again, same = Publisher(files, envoy), snapshot("a", "b")
    again.want(same)
    assert again.advance(50) is same  # at once, without writing anything
    assert (files.clusters.read_bytes(), files.routes.stat().st_mtime_ns) == before
    third = Publisher(files, envoy)
    third.want(snapshot("b"))
    settle(third, envoy, 60)
    assert third.next() == 60 + LEAST_DRAIN


def test_endpoints_follow_at_once_and_those_of_a_vanished_backend_stay(files: GatewayFiles) -> None:
    publisher = Publisher(files, Envoy(files))
    publisher.want(snapshot("a", "b"))
    publisher.endpoints({"a": target("a", "10.0.0.1"), "unused": target("unused", "10.0.0.9")})
    publisher.advance(0)
    assert "10.0.0.1" in files.endpoints("a").read_text()
    assert read_json(files.endpoints("b"))["resources"][0]["endpoints"] == []  # Envoy does not start without the file
    assert not files.endpoints("unused").exists()
    publisher.endpoints({"a": target("a", "10.0.0.2")})
    assert "10.0.0.2" in files.endpoints("a").read_text()
    publisher.endpoints({})
    assert "10.0.0.2" in files.endpoints("a").read_text()


def test_delay_line() -> None:
    line: DelayLine[str] = DelayLine()
    line.put("a", 10)
    line.put("b", 12)
    line.put("b", 99)  # nothing new
    assert (line.take(9), line.next()) == (None, 10)
    assert line.take(10) == "a"
    assert (line.take(20), line.next()) == ("b", None)
    line.put("c", 30)
    line.put("d", 25)  # the delay was shortened: what came before is overtaken
    assert (line.take(26), line.take(99)) == ("d", None)


def test_settings() -> None:
    assert parse({}) == Settings(0, 0, health_checks=True)
    assert parse({"weightDelay": 8, "statusDelay": 60.5, "healthChecks": False}) == Settings(8, 60.5, health_checks=False)


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ([], "must hold an object"),
        ({"weightdelay": 1}, "unknown field weightdelay"),
        ({"weightDelay": "8"}, "weightDelay must be seconds"),
        ({"weightDelay": True}, "weightDelay must be seconds"),
        ({"statusDelay": -1}, "statusDelay must be seconds"),
        ({"statusDelay": float("nan")}, "statusDelay must be seconds"),
        ({"healthChecks": 1}, "true or false"),
    ],
)
def test_settings_that_cannot_be(document: object, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse(document)


def test_settings_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    file = SettingsFile(path)
    assert file.read() == Settings()
    write_json(path, {"weightDelay": 8})
    assert file.read().weight_delay == 8
    path.write_text(json.dumps({"weightDelay": "no"}))
    assert file.read().weight_delay == 8  # the last that could be used
    path.unlink()
    assert file.read() == Settings()


def manifest(version: int, uid: str = "u", name: str = "x") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "n", "uid": uid, "resourceVersion": str(version)}}


def test_store_is_complete_when_all_kinds_were_listed() -> None:
    store = Store([POD, GATEWAY])
    store.deliver(POD, "SYNCED", {})
    assert not store.complete
    store.deliver(GATEWAY, "SYNCED", {})
    assert store.complete


def test_store_keeps_the_newest() -> None:
    store = Store([POD])
    store.deliver(POD, "ADDED", manifest(5))
    before, _ = store.read()
    store.deliver(POD, "MODIFIED", manifest(4))  # came late
    version, objects = store.read()
    assert version != before
    assert objects.get(POD, "n", "x") == manifest(5)
    store.deliver(POD, "ADDED", manifest(7, uid="another"))
    store.deliver(POD, "DELETED", manifest(8, uid="u"))
    assert store.read()[1].get(POD, "n", "x") == manifest(7, uid="another")
    store.deliver(POD, "DELETED", manifest(9, uid="another"))
    assert list(store.read()[1].all(POD)) == []
    assert not store.wait(store.read()[0], 0.01)
