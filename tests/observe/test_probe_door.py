"""Where a probe is sent: by what a Gateway says, or by a URL."""

from __future__ import annotations

from typing import Any

import pytest

from inference_rollouts.observe.probe_door import Door, NoDoor, by_gateway, by_url

HTTP = {"name": "http", "protocol": "HTTP", "port": 80}
HTTPS = {"name": "https", "protocol": "HTTPS", "port": 443}


def gateway(*listeners: dict[str, Any], address: str | None = "10.0.0.5") -> dict[str, Any]:
    conditions = [{"type": "Programmed", "status": "False", "reason": "Pending", "message": "waiting for an address"}]
    addresses = [{"type": "IPAddress", "value": address}] if address else []
    return {"spec": {"listeners": list(listeners or (HTTP,))}, "status": {"addresses": addresses, "conditions": conditions}}


def door(value: dict[str, Any], *hostnames: str, **ref: Any) -> tuple[str, str]:
    found = by_gateway(value, {"name": "g", **ref}, hostnames, "Gateway default/g")
    assert found.gateways
    return found.url, found.name


def test_address_and_listener_are_the_gateways():
    assert door(gateway()) == ("http://10.0.0.5", "")
    assert door(gateway({**HTTP, "port": 8080}, address="fd00::1")) == ("http://[fd00::1]:8080", "")
    assert by_gateway(gateway(), {}, (), "Gateway default/g").at == "Gateway default/g, listener http"


def test_https_comes_before_http_which_may_only_redirect():
    assert door(gateway(HTTP, HTTPS)) == ("https://10.0.0.5", "")
    assert door(gateway(HTTP, {**HTTPS, "hostname": "llm.example.com"})) == ("https://10.0.0.5", "llm.example.com")


def test_the_routes_parent_ref_names_the_listener():
    both = gateway(HTTP, HTTPS)
    assert door(both, sectionName="http")[0] == "http://10.0.0.5"
    assert door(both, port=80)[0] == "http://10.0.0.5"


@pytest.mark.parametrize(
    ("listener", "route", "name"),
    [
        ("", "llm.example.com", "llm.example.com"),
        ("llm.example.com", "llm.example.com", "llm.example.com"),
        ("*.example.com", "llm.example.com", "llm.example.com"),
        ("llm.example.com", "*.example.com", "llm.example.com"),
        ("", "*.example.com", "rollout-probe.example.com"),
        ("*.example.com", "*.example.com", "rollout-probe.example.com"),
        ("*.example.com", "", "rollout-probe.example.com"),
    ],
)
def test_the_name_is_what_route_and_listener_have_in_common(listener, route, name):
    value = gateway({**HTTPS, "hostname": listener} if listener else HTTPS)
    assert door(value, *([route] if route else ()))[1] == name


def test_the_first_hostname_that_fits_is_asked():
    assert door(gateway({**HTTPS, "hostname": "b.example.com"}), "a.example.com", "b.example.com")[1] == "b.example.com"


@pytest.mark.parametrize(
    ("value", "ref", "said"),
    [
        (gateway(address=None), {}, "no address (Programmed False: waiting for an address)"),
        (gateway({**HTTPS, "protocol": "TLS"}), {}, "no HTTP or HTTPS listener for this route among https (TLS 443)"),
        (gateway({**HTTP, "hostname": "x.org"}), {}, "no HTTP or HTTPS listener for this route among http (HTTP 80)"),
        (gateway(), {"sectionName": "other"}, "no HTTP or HTTPS listener for this route among http (HTTP 80)"),
    ],
)
def test_without_a_way_in_it_says_what_is_there_and_what_to_do(value, ref, said):
    with pytest.raises(NoDoor) as found:
        by_gateway(value, ref, ("llm.example.com",), "here")
    assert str(found.value) == said
    assert "--url" in found.value.advice


def test_a_url_is_no_gateway():
    assert by_url("http://127.0.0.1:8080/", ()) == Door("http", "127.0.0.1", 8080, at="--url", gateways=False)
    assert by_url("https://llm.example.com/front/", ()).url == "https://llm.example.com/front"


@pytest.mark.parametrize(
    ("url", "hostnames", "name"),
    [
        ("https://llm.example.com", ("llm.example.com",), ""),
        ("https://llm.example.com", ("*.example.com",), ""),
        ("https://bastion:8443", ("llm.example.com",), "llm.example.com"),
        ("http://127.0.0.1:8080", ("*.example.com",), "rollout-probe.example.com"),
    ],
)
def test_a_url_asks_for_its_own_host_where_the_route_has_it(url, hostnames, name):
    assert by_url(url, hostnames).name == name


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("llm.example.com", "is no URL to send to"),
        ("ftp://x", "is no URL to send to"),
        ("https://", "is no URL to send to"),
        ("https://me:secret@x", "holds credentials"),
        ("https://x/?a=b", "leave off"),
    ],
)
def test_what_is_no_url_is_said(url, said):
    with pytest.raises(ValueError, match=said) as found:
        by_url(url, ())
    assert "secret" not in str(found.value)
