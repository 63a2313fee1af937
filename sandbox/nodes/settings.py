"""What can be set for nodes and pods while the sandbox runs: HOME/nodes.json, read anew when it changes.

How servers behave is settled when their process starts: a change is for those that start after it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from sandbox import files

log = logging.getLogger("settings")

VERSION_LABEL = "inference-rollouts/version"
FOREVER = float("inf")


@dataclass(frozen=True)
class ServerSettings:
    """How simulated model servers behave. Seconds; `"forever"` in the file stands for no end.

    Attributes:
        load_seconds: from the start of the process until it listens, as if it loaded a model.
        first_token_seconds: until the first token.
        token_seconds: between tokens.
    """

    load_seconds: float = 0.0
    first_token_seconds: float = 0.02
    token_seconds: float = 0.005


@dataclass(frozen=True)
class Settings:
    """All of it.

    Attributes:
        server: of all model servers.
        versions: of those whose pods carry this value of the label inference-rollouts/version.
        provision_seconds: until a machine that the autoscaler asks for is a node; minutes on GKE.
        idle_seconds: until an idle node goes; ten minutes, as on GKE.
        pre_stop_seconds: at most so long do preStop sleeps last; None leaves them alone.
        config_map_seconds: until a changed ConfigMap is in the pods that mount it; up to a minute with a kubelet.
    """

    server: ServerSettings = ServerSettings()
    versions: Mapping[str, ServerSettings] = field(default_factory=dict)
    provision_seconds: float = 1.0
    idle_seconds: float = 600.0
    pre_stop_seconds: float | None = None
    config_map_seconds: float = 1.0

    def server_of(self, labels: Mapping[str, str]) -> ServerSettings:
        """For the model server of a pod with these labels."""
        return self.versions.get(labels.get(VERSION_LABEL, ""), self.server)


def parse(content: Mapping[str, Any]) -> Settings:
    """Settings from the file's content: the attributes' names in camelCase, those of `server` at the top.

    >>> parse({"loadSeconds": 2, "versions": {"llm-new": {"loadSeconds": "forever"}}}).versions["llm-new"].load_seconds
    inf

    Raises:
        ValueError: an unknown key, or a value that is no number of seconds.
    """
    rest = dict(content)
    versions = rest.pop("versions", {})
    own = {key: rest.pop(key) for key in list(rest) if key in _keys(ServerSettings())}
    server = _filled(ServerSettings(), own)
    named = {name: _filled(server, given) for name, given in versions.items()}
    return _filled(Settings(server=server, versions=named), rest)


def _keys(base: Any) -> dict[str, str]:
    return {_camel(f.name): f.name for f in fields(base) if f.name not in ("server", "versions")}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _filled(base: Any, given: Mapping[str, Any]) -> Any:
    known = _keys(base)
    unknown = given.keys() - known.keys()
    if unknown:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}; there is {', '.join(known)}")
    return replace(base, **{known[key]: _seconds(key, value) for key, value in given.items()})


def _seconds(key: str, value: Any) -> float | None:
    if value == "forever":
        return FOREVER
    if value is None and key == "preStopSeconds":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError(f"{key} is seconds or forever, not {value!r}")
    return float(value)


def settings_path(home: Path) -> Path:
    """The file; it need not be there."""
    return home / "nodes.json"


class SettingsFile:
    """The file, read when it has changed; one that cannot be used leaves the last good settings.

    Args:
        path: the file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: object = None
        self._settings = Settings()

    @property
    def now(self) -> Settings:
        """The settings in force."""
        try:
            stat = self._path.stat()
            seen = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        except OSError:
            self._seen, self._settings = None, Settings()
            return self._settings
        if seen != self._seen:
            self._seen = seen
            try:
                self._settings = parse(json.loads(self._path.read_text("utf-8")))
                log.info("%s: %s", self._path, self._settings)
            except (OSError, ValueError, AttributeError, TypeError) as e:
                log.error("%s is not used: %s", self._path, e)
        return self._settings


def configure(home: Path, **settings: Any) -> None:
    """Merge settings into HOME/nodes.json (keys as in the file; None removes one); versions merge by name.

    Raises:
        ValueError: as `parse`; the file is left alone.
    """
    path = settings_path(home)
    content = json.loads(path.read_text("utf-8")) if path.exists() else {}
    versions = {**content.get("versions", {}), **settings.pop("versions", {})}
    merged = {key: value for key, value in {**content, "versions": versions, **settings}.items() if value not in (None, {})}
    parse(merged)
    files.replace(path, json.dumps(merged, indent=1))


def in_all_versions(home: Path, **settings: Any) -> dict[str, Any]:
    """Settings of model servers, as `configure` takes them, so that no version has another value of its own."""
    path = settings_path(home)
    content = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return {**settings, "versions": {name: {**own, **settings} for name, own in content.get("versions", {}).items()}}


@contextmanager
def configured(home: Path, **settings: Any) -> Iterator[None]:
    """Settings as by `configure`, for a while."""
    with files.borrowed(settings_path(home)):
        configure(home, **settings)
        yield
