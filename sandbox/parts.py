"""The parts of the sandbox: what is run, with which arguments, after what, and how it is seen that it is ready."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sandbox.gateway import istio
from sandbox.home import Home, State
from sandbox.namespaces import NODE_ADDRESS, POD_NETWORK
from sandbox.ready import Check, File, Http, Runs

STAGES = Path(__file__).parent / "nodes/stages.yaml"
"""How KWOK's nodes and pods live."""

SERVICE_NETWORK = "10.78.0.0/16"
"""Addresses of Services; nothing answers there, as there is no kube-proxy: what calls a Service asks its EndpointSlices."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One process.

    Attributes:
        name: as users see it; the log is `<name>.log`.
        argv: the program's path and its arguments.
        ready: how it is seen that it is ready.
        after: the parts that must be ready before it starts.
        env: on top of what all parts have.
        once: it does its work and ends; ready when it ended with 0.
        door: it gets the sockets that listen outside, as file descriptors from 3 on.
    """

    name: str
    argv: tuple[str, ...]
    ready: Check = field(default_factory=Runs)
    after: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    once: bool = False
    door: bool = False


def parts(home: Home, state: State) -> list[Part]:
    """All parts of a sandbox, each after the ones it waits for."""
    return [
        _door(home, state),
        _prometheus(home, state),
        _etcd(home),
        _apiserver(home, state),
        _controller_manager(home),
        _scheduler(home),
        _kwok(home),
        Part(name="cluster", argv=_python("sandbox.cluster", home), after=("kube-apiserver",), once=True),
        *_own(home, state),
    ]


def _door(home: Home, state: State) -> Part:
    ports = (state.ports.apiserver, state.ports.gateway, state.ports.prometheus)
    pairs = (f"fd:{3 + n}=127.0.0.1:{port}" for n, port in enumerate(ports))
    return Part(name="door", argv=(str(home.bin / "relay"), *pairs), door=True)


def _etcd(home: Home) -> Part:
    url = "http://127.0.0.1:2379"
    argv = (
        str(home.bin / "etcd"),
        f"--data-dir={home.etcd}",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        "--listen-peer-urls=http://127.0.0.1:2380",
        # What it holds need not outlive the machine.
        "--unsafe-no-fsync",
        "--log-level=warn",
    )
    return Part(name="etcd", argv=argv, ready=Http(f"{url}/health"))


def _apiserver(home: Home, state: State) -> Part:
    pki, port = home.pki, state.ports.apiserver
    argv = (
        str(home.bin / "kube-apiserver"),
        "--etcd-servers=http://127.0.0.1:2379",
        f"--secure-port={port}",
        f"--advertise-address={NODE_ADDRESS}",
        f"--tls-cert-file={pki}/server.crt",
        f"--tls-private-key-file={pki}/server.key",
        f"--token-auth-file={pki}/tokens.csv",
        "--authorization-mode=Node,RBAC",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki}/service-accounts.key",
        f"--service-account-signing-key-file={pki}/service-accounts.key",
        "--allow-privileged=true",
        "--profiling=false",
    )
    check = Http(f"https://127.0.0.1:{port}/readyz", pki / "ca.crt")
    return Part(name="kube-apiserver", argv=argv, ready=check, after=("etcd",))


def _kube(home: Home, name: str, port: int, *more: str) -> Part:
    """A client of the API server from Kubernetes itself."""
    argv = (
        str(home.bin / name),
        f"--kubeconfig={home.kubeconfig}",
        # There is only one: a lease would only delay the next start.
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={home.pki}/server.crt",
        f"--tls-private-key-file={home.pki}/server.key",
        "--profiling=false",
        *more,
    )
    check = Http(f"https://127.0.0.1:{port}/healthz", home.pki / "ca.crt")
    return Part(name=name, argv=argv, ready=check, after=("kube-apiserver",))


def _controller_manager(home: Home) -> Part:
    signing = f"--service-account-private-key-file={home.pki}/service-accounts.key"
    return _kube(home, "kube-controller-manager", 10257, signing, f"--root-ca-file={home.pki}/ca.crt")


def _scheduler(home: Home) -> Part:
    return _kube(home, "kube-scheduler", 10259)


def _kwok(home: Home) -> Part:
    address = "127.0.0.1:10247"
    argv = (
        str(home.bin / "kwok"),
        f"--kubeconfig={home.kubeconfig}",
        f"--config={STAGES}",
        "--manage-all-nodes",
        "--node-lease-duration-seconds=40",
        f"--node-ip={NODE_ADDRESS}",
        f"--cidr={POD_NETWORK}",
        f"--server-address={address}",
    )
    return Part(name="kwok", argv=argv, ready=Http(f"http://{address}/healthz"), after=("kube-apiserver",))


def _prometheus(home: Home, state: State) -> Part:
    address = f"127.0.0.1:{state.ports.prometheus}"
    argv = (
        str(home.bin / "prometheus"),
        f"--config.file={home.prometheus}/prometheus.yml",
        f"--storage.tsdb.path={home.prometheus}/data",
        "--storage.tsdb.retention.size=1GB",
        f"--web.listen-address={address}",
        "--log.level=warn",
    )
    return Part(name="prometheus", argv=argv, ready=Http(f"http://{address}/-/ready"))


def _own(home: Home, state: State) -> list[Part]:
    """The parts that this package plays itself, and what is beside them."""
    agent = _module(home, "node-agent", "sandbox.nodes.agent", "cluster", "kwok")
    if state.gateway == "istio":
        istiod = _module(home, "istiod", "sandbox.gateway.istiod", "cluster")
        return [
            agent,
            replace(istiod, ready=Http(istio.READY_URL)),
            _module(home, "envoy", "sandbox.gateway.istio_proxy", "istiod"),
        ]
    return [
        agent,
        _module(home, "envoy", "sandbox.gateway.envoy"),
        _module(home, "gateway", "sandbox.gateway", "cluster", "envoy"),
    ]


def _module(home: Home, name: str, module: str, *after: str) -> Part:
    """A module of ours, which says that it is ready by its file."""
    return Part(name=name, argv=_python(module, home), ready=File(home.ready_file(name)), after=after)


def _python(module: str, home: Home) -> tuple[str, ...]:
    return (sys.executable, "-m", module, "--home", str(home.root))


def environment(home: Home) -> dict[str, str]:
    """What all parts find in their environment; nothing of the caller's but its language and home."""
    path = [str(home.bin), str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TZ", "XDG_CACHE_HOME") if name in os.environ}
    return kept | {
        "PATH": ":".join(path),
        "KUBECONFIG": str(home.kubeconfig),
        "KUBECACHEDIR": str(home.kube_cache),
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "PYTHONUNBUFFERED": "1",
        "ROLLOUT_SANDBOX_HOME": str(home.root),
    }
