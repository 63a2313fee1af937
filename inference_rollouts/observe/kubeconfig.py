"""From a kubeconfig to a connection: the official client, with credential plugins run here.

The client's own way with plugins is to log an error and go on without credentials, and to wait for one without end: then a
missing gke-gcloud-auth-plugin looks like a missing right. Here every failure is a sentence.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Mapping
from typing import Any

PLUGIN_TIMEOUT = 20.0
"""Seconds that a credential plugin may take: gke-gcloud-auth-plugin may have to refresh a token."""


PLUGIN_EXTENSION = "client.authentication.k8s.io/exec"


class NoConnection(Exception):
    """There is no way to ask the cluster. The text says why and is never empty."""


def connect(kubeconfig: str | None, context: str | None) -> Any:
    """A kubernetes.client.ApiClient that does not retry.

    Args:
        kubeconfig: its text, JSON or YAML; None takes the ambient one ($KUBECONFIG, else ~/.kube/config).
        context: None takes the current one.

    Raises:
        NoConnection: when there is none to be had.
    """
    try:
        from kubernetes.client import Configuration
        from kubernetes.config import new_client_from_config_dict
        from kubernetes.config.kube_config import ConfigNode
    except ImportError as e:
        raise NoConnection(f"the Python package kubernetes cannot be imported ({e}); install requirements.txt") from e
    try:
        config = ConfigNode("kubeconfig", _parsed(kubeconfig)) if kubeconfig else _ambient()
        _resolve_plugin(config, context)
        # Retries would multiply the time-outs.
        settings = Configuration(retries=False)  # type: ignore[arg-type]
        return new_client_from_config_dict(config, context=context, client_configuration=settings)
    except NoConnection:
        raise
    except Exception as e:  # the client does not check what it reads: anything may come of a wrong file
        raise NoConnection(f"the kubeconfig cannot be used: {_told(e)}") from e


def _parsed(text: str) -> dict[str, Any]:
    import yaml

    try:
        config = yaml.safe_load(text)
    except yaml.YAMLError as e:
        # Without the parser's excerpt, which may be a token.
        mark = getattr(e, "problem_mark", None)
        raise NoConnection(f"the kubeconfig is no YAML{f', line {mark.line + 1}' if mark else ''}") from None
    if not isinstance(config, dict):
        raise NoConnection("the kubeconfig is no map")
    return config


def _ambient() -> Any:
    from kubernetes.config.kube_config import KubeConfigMerger

    paths = os.environ.get("KUBECONFIG") or "~/.kube/config"
    config = KubeConfigMerger(paths).config
    if config is None:
        raise NoConnection(f"there is no kubeconfig at {paths}")
    return config


def _resolve_plugin(config: Any, context: str | None) -> None:
    """Put the credentials that the context's plugin gives in the place of the plugin."""
    chosen = config["contexts"].get_with_name(context or config["current-context"])["context"]
    user = config["users"].get_with_name(chosen["user"]) if chosen.safe_get("user") else None
    plugin = (user.value.get("user") or {}).get("exec") if user else None
    if user and plugin:
        cluster = config["clusters"].get_with_name(chosen["cluster"]).value.get("cluster") or {}
        user.value["user"] = _credentials(run_plugin(plugin, cluster))


def run_plugin(plugin: Mapping[str, Any], cluster: Mapping[str, Any]) -> dict[str, Any]:
    """Run a credential plugin (client.authentication.k8s.io) and return the `status` of its ExecCredential.

    Raises:
        NoConnection: when it is missing, fails, hangs or says nothing of use.
    """
    command = str(plugin.get("command"))
    env = os.environ | {item["name"]: item["value"] for item in plugin.get("env") or ()}
    env["KUBERNETES_EXEC_INFO"] = _exec_info(plugin, cluster)
    words = [command, *(plugin.get("args") or ())]
    try:
        done = subprocess.run(
            words, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PLUGIN_TIMEOUT, check=False
        )
    except FileNotFoundError as e:
        raise NoConnection(f"{command} is not on PATH. {plugin.get('installHint') or ''}".strip()) from e
    except subprocess.TimeoutExpired as e:
        raise NoConnection(f"{command} gave no credentials within {PLUGIN_TIMEOUT:g} s") from e
    except OSError as e:
        raise NoConnection(f"{command} cannot be run: {e.strerror or e}") from e
    if done.returncode:
        raise NoConnection(f"{command} failed with exit code {done.returncode}: {_end_of(done.stderr)}")
    try:
        return dict(json.loads(done.stdout)["status"])
    except (ValueError, KeyError, TypeError) as e:
        raise NoConnection(f"{command} answered something that is no ExecCredential") from e


def _exec_info(plugin: Mapping[str, Any], cluster: Mapping[str, Any]) -> str:
    spec: dict[str, Any] = {"interactive": False}
    if plugin.get("provideClusterInfo"):
        config = [item["extension"] for item in cluster.get("extensions") or () if item["name"] == PLUGIN_EXTENSION]
        own = {key: value for key, value in cluster.items() if key != "extensions"}
        spec["cluster"] = own | ({"config": config[0]} if config else {})
    return json.dumps({"apiVersion": plugin.get("apiVersion"), "kind": "ExecCredential", "spec": spec})


def _credentials(status: Mapping[str, Any]) -> dict[str, str]:
    if token := status.get("token"):
        return {"token": token}
    pair = {"client-certificate-data": "clientCertificateData", "client-key-data": "clientKeyData"}
    if all(status.get(key) for key in pair.values()):
        return {ours: base64.b64encode(str(status[theirs]).encode()).decode() for ours, theirs in pair.items()}
    raise NoConnection("the credential plugin gave neither a token nor a certificate")


def _told(error: Exception) -> str:
    from kubernetes.config import ConfigException

    return str(error) if isinstance(error, ConfigException) and str(error) else f"{type(error).__name__}: {error}"


def _end_of(text: str) -> str:
    return " ".join(text.split())[-300:] or "it printed no reason"
