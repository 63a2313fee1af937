"""The volumes of a pod as folders: emptyDir, ConfigMap and Secret. Others are empty folders."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Object = Mapping[str, Any]


def config_maps(pod: Object) -> list[str]:
    """Names of the ConfigMaps that are mounted."""
    return [v["configMap"]["name"] for v in pod["spec"].get("volumes") or () if "configMap" in v]


def missing(pod: Object, found: Mapping[str, Object]) -> list[str]:
    """Names of mounted ConfigMaps that are not there and not optional: without them no container starts."""
    mounted = [v["configMap"] for v in pod["spec"].get("volumes") or () if "configMap" in v]
    return [m["name"] for m in mounted if m["name"] not in found and not m.get("optional")]


def paths(container: Object, root: Path) -> dict[str, Path]:
    """Mount path -> folder (or file, with subPath) that holds it."""
    mounts = container.get("volumeMounts") or ()
    return {m["mountPath"].rstrip("/"): root / m["name"] / (m.get("subPath") or "") for m in mounts}


def write(pod: Object, root: Path, found: Mapping[str, Object]) -> None:
    """Bring all volumes to what the ConfigMaps say now. Each file is replaced whole; keys that went go.

    Args:
        pod: the pod.
        root: where its volumes are, a folder each.
        found: ConfigMaps by name.
    """
    for volume in pod["spec"].get("volumes") or ():
        folder = root / volume["name"]
        folder.mkdir(parents=True, exist_ok=True)
        if "configMap" in volume and volume["configMap"]["name"] in found:
            fill(folder, _files(volume["configMap"], found[volume["configMap"]["name"]]))


def _files(source: Object, config_map: Object) -> dict[str, bytes]:
    content = {key: text.encode() for key, text in (config_map.get("data") or {}).items()}
    content |= {key: base64.b64decode(text) for key, text in (config_map.get("binaryData") or {}).items()}
    items = source.get("items")
    return {item["path"]: content[item["key"]] for item in items if item["key"] in content} if items else content


def fill(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make a folder hold these files and no others."""
    for name, content in files.items():
        path = folder / name
        if path.exists() and path.read_bytes() == content:
            continue
        partial = folder / f".{os.urandom(4).hex()}"
        partial.write_bytes(content)
        partial.replace(path)
    for path in folder.iterdir():
        if path.name not in files:
            path.unlink()


def environment(container: Object, pod: Object, ip: str, values: Mapping[tuple[str, str, str], str]) -> dict[str, str]:
    """A container's environment.

    Args:
        container, pod: from the API server.
        ip: the pod's address.
        values: (secretKeyRef or configMapKeyRef, name, key) -> value, for those that there are.

    Raises:
        KeyError: a value that is not optional is missing; its text names it.
    """
    env: dict[str, str] = {}
    for item in container.get("env") or ():
        source = item.get("valueFrom")
        if source is None:
            env[item["name"]] = item.get("value") or ""
        elif field := source.get("fieldRef"):
            env[item["name"]] = _field(field["fieldPath"], pod, ip)
        else:
            for kind, ref in source.items():
                value = values.get((kind, ref.get("name", ""), ref.get("key", "")))
                if value is not None:
                    env[item["name"]] = value
                elif not ref.get("optional"):
                    raise KeyError(f"{kind} {ref.get('name')}/{ref.get('key')}")
    return env


def _field(path: str, pod: Object, ip: str) -> str:
    known = {
        "metadata.name": pod["metadata"]["name"],
        "metadata.namespace": pod["metadata"]["namespace"],
        "metadata.uid": pod["metadata"]["uid"],
        "spec.nodeName": pod["spec"].get("nodeName") or "",
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName") or "default",
        "status.podIP": ip,
        "status.podIPs": ip,
    }
    return known.get(path, "")
