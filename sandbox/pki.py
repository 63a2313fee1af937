"""What the API server and its clients know each other by: made anew for each sandbox, worth nothing outside it."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import secrets
from typing import Any

from sandbox.home import Home, State
from sandbox.namespaces import NODE_ADDRESS

CONTEXT = "rollout-sandbox"
"""Name of the context, the cluster and the user in the kubeconfig."""

VALID = datetime.timedelta(days=365)


def make(home: Home, state: State) -> None:
    """Write keys, certificates, tokens.csv, the kubeconfig, and a gke-gcloud-auth-plugin that gives the same token."""
    home.pki.mkdir(mode=0o700)
    authority = _certificates(home)
    token = secrets.token_urlsafe(24)
    (home.pki / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n', "utf-8")
    home.kubeconfig.touch(0o600)
    home.kubeconfig.write_text(json.dumps(_kubeconfig(state, authority, token), indent=2) + "\n", "utf-8")
    _credential_plugin(home, token)


def _kubeconfig(state: State, authority: bytes, token: str) -> dict[str, Any]:
    """JSON is YAML."""
    server = f"https://127.0.0.1:{state.ports.apiserver}"
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(authority).decode()}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": CONTEXT, "user": {"token": token}}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT}}],
        "current-context": CONTEXT,
    }


def _credential_plugin(home: Home, token: str) -> None:
    """The kubeconfig that the program makes for a GKE cluster asks gke-gcloud-auth-plugin: here is one that knows the sandbox."""
    answer = {"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential", "status": {"token": token}}
    plugin = home.bin / "gke-gcloud-auth-plugin"
    plugin.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(answer)}\nEND\n", "utf-8")
    plugin.chmod(0o700)


def _certificates(home: Home) -> bytes:
    """ca.crt, server.crt, server.key and service-accounts.key; returns the authority's certificate."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    def pem(key: ec.EllipticCurvePrivateKey) -> bytes:
        return key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )

    now = datetime.datetime.now(datetime.UTC)
    own, server, accounts = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))

    def builder(subject: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder(subject_name=name(subject), issuer_name=name(CONTEXT))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + VALID)
        )

    authority = builder(CONTEXT, own).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    hosts = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
    addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", NODE_ADDRESS)]
    names = x509.SubjectAlternativeName([*map(x509.DNSName, hosts), *addresses])
    leaf = builder("kube-apiserver", server).add_extension(names, critical=False)
    signed = authority.sign(own, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    files = {
        "ca.crt": signed,
        "server.crt": leaf.sign(own, hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
        "server.key": pem(server),
        "service-accounts.key": pem(accounts),
    }
    for file, content in files.items():
        path = home.pki / file
        path.touch(0o600)
        path.write_bytes(content)
    return signed
