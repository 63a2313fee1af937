"""One request of a probe on the wire: what it carries, what comes back, and what is said when nothing does."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inference_rollouts.observe.probe_door import Door, by_url
from inference_rollouts.observe.probe_route import Way
from inference_rollouts.observe.probe_send import Reply, Sender
from inference_rollouts.observe.probe_times import as_text, percentiles
from tests.observe.fake_openai import FakeOpenAI, Said, events

CHAT = Way("POST", "/v1/chat/completions", {"x-canary": "yes"})
ASK = {"model": "llm", "messages": []}


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as found:
        yield found


def sender(
    url: str, headers: dict[str, str] | None = None, *, verify: Any = True, timeout: float = 5, hostnames: Any = ()
) -> Sender:
    return Sender(by_url(url, hostnames), headers or {}, verify, timeout)


def test_it_sends_what_the_match_wants_and_what_the_operator_gives(server):
    reply = sender(server.url + "/front", {"Authorization": "Bearer t"}, hostnames=("llm.example.com",)).send(CHAT, ASK)
    (asked,) = server.asked

    assert (reply.status, reply.error) == (200, "")
    assert asked.path == "/front/v1/chat/completions"
    assert asked.body == ASK
    sent = {name: asked.headers[name] for name in ("x-canary", "authorization", "host", "content-type")}
    assert sent == {
        "x-canary": "yes",
        "authorization": "Bearer t",
        "host": "llm.example.com",
        "content-type": "application/json",
    }


def test_nothing_of_the_machine_takes_part(server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n", "utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server.break_ = lambda _: Said(200, "{}", {"Set-Cookie": "GCILB=one; Path=/"})
    one = sender(server.url)
    one.send(CHAT, ASK)
    assert one.send(CHAT, ASK).status == 200

    assert not {"authorization", "cookie"} & server.asked[-1].headers.keys()


def test_redirects_are_answers(server):
    server.break_ = lambda _: Said(302, "", {"Location": server.url + "/login"})
    reply = sender(server.url).send(CHAT, ASK)

    assert (reply.status, reply.headers["location"]) == (302, server.url + "/login")
    assert len(server.asked) == 1


def test_first_byte_and_end_of_a_stream_are_told_apart(server):
    server.break_ = lambda _: Said(200, [*events(None, done=False), 0.3, *events("stop")])
    reply = sender(server.url).send(CHAT, ASK)

    assert reply.first is not None
    assert reply.whole is not None
    assert reply.whole - reply.first >= 0.25


def test_a_server_that_is_silent_is_not_waited_for(server):
    server.break_ = lambda _: Said(200, [1.0])
    reply = sender(server.url, timeout=0.2).send(CHAT, ASK)
    assert (reply.status, reply.error, reply.whole) == (200, "nothing for 0.2 s in the middle of the answer", None)


def test_a_server_that_does_not_come_to_an_end_is_not_waited_for(server):
    server.break_ = lambda _: Said(200, [piece for _ in range(20) for piece in ("{}", 0.05)])
    reply = sender(server.url, timeout=0.3).send(CHAT, ASK)
    assert (reply.status, reply.error, reply.whole) == (200, "no end within 0.3 s", None)
    assert reply.body.startswith(b"data: {}")


def test_a_stream_that_is_cut_keeps_what_came(server):
    server.break_ = lambda _: Said(200, [*events(None, done=False), "CUT"])
    reply = sender(server.url).send(CHAT, ASK)
    assert (reply.status, reply.error) == (200, "the answer broke off")
    assert b"choices" in reply.body


def test_an_answer_head_that_does_not_come(server):
    import time

    server.break_ = lambda _: time.sleep(1) or None
    reply = sender(server.url, timeout=0.2).send(CHAT, ASK)
    assert (reply.status, reply.error) == (None, "no answer within 0.2 s")
    assert reply.advice == "see the canary's servers, or give it more time: --timeout"


def test_where_nobody_listens_it_says_so():
    with FakeOpenAI() as gone:
        url = gone.url
    reply = sender(url).send(CHAT, ASK)
    assert (reply.status, reply.error) == (
        None,
        "no connection: Failed to establish a new connection: [Errno 111] Connection refused",
    )
    assert reply.advice == "run it where the Gateway can be reached (its network, a VPN), or give --url"


# --- TLS --------------------------------------------------------------------------------------------------------------


def certificate(folder: Path, host: str) -> tuple[Path, ssl.SSLContext]:
    """A certificate for one name, by itself; where it is, and what serves with it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)
    return pem, context


def by_address(server: FakeOpenAI, name: str) -> Door:
    return Door("https", "127.0.0.1", server.port, name)


def test_the_certificate_is_verified_for_the_name_and_not_for_the_address(tmp_path: Path):
    pem, tls = certificate(tmp_path, "llm.example.com")
    asked_for: list[str | None] = []
    tls.sni_callback = lambda _, name, __: asked_for.append(name)
    with FakeOpenAI(tls=tls) as server:
        reply = Sender(by_address(server, "llm.example.com"), {}, str(pem), 5).send(CHAT, ASK)
        assert (reply.status, reply.error) == (200, "")
        assert asked_for == ["llm.example.com"]

        other = Sender(by_address(server, "other.example.com"), {}, str(pem), 5).send(CHAT, ASK)
        assert other.status is None
        assert other.error.startswith("TLS: ")
        assert "doesn't match" in other.error or "mismatch" in other.error.lower()


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_a_ca_that_nobody_trusts_is_refused_unless_told_otherwise(tmp_path: Path):
    _, tls = certificate(tmp_path, "llm.example.com")
    with FakeOpenAI(tls=tls) as server:
        door = by_address(server, "llm.example.com")
        reply = Sender(door, {}, True, 5).send(CHAT, ASK)
        assert (reply.status, "certificate verify failed" in reply.error) == (None, True)
        assert reply.advice == "trust its CA by --cacert FILE, or see the certificate's names"
        assert not server.asked

        assert Sender(door, {}, False, 5).send(CHAT, ASK).status == 200


def test_a_host_header_of_the_operators_is_what_the_certificate_is_for(tmp_path: Path):
    pem, tls = certificate(tmp_path, "own.example.com")
    with FakeOpenAI(tls=tls) as server:
        door = by_address(server, "llm.example.com")
        assert Sender(door, {"Host": "own.example.com"}, str(pem), 5).send(CHAT, ASK).status == 200
        assert server.asked[0].headers["host"] == "own.example.com"


# --- times ------------------------------------------------------------------------------------------------------------


def test_percentiles_are_times_that_were_seen():
    replies = [Reply(status=200, first=n / 100, whole=n / 10) for n in range(1, 21)]

    assert percentiles(replies) == {
        "first": {"p50": 0.1, "p95": 0.19, "max": 0.2},
        "whole": {"p50": 1.0, "p95": 1.9, "max": 2.0},
    }
    assert (
        as_text(replies[:1])
        == "first byte p50 0.010 s, p95 0.010 s, longest 0.010 s; whole p50 0.100 s, p95 0.100 s, longest 0.100 s"
    )
    assert percentiles([Reply(error="no")]) == {}
