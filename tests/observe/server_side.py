"""Server-side apply as far as an object with weights needs it: owned fields, force, uid, resourceVersion, generation.

Lists are atomic here, as they are in HTTPRoute, InferenceModelRewrite and InferenceModel. tests/sandbox/test_now.py runs the
same story on a real API server.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.observe.fake_apiserver import UNAUTHORIZED, FakeApiServer, Object, status

Path = tuple[str, ...]
IDENTITY = {("apiVersion",), ("kind",), *((("metadata", key)) for key in ("name", "namespace", "uid", "resourceVersion"))}


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of what a manager owns by sending a value; a list is one leaf."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    else:
        yield path


def to_fields(paths: set[Path]) -> Object:
    """FieldsV1."""
    out: Object = {}
    for path in sorted(paths):
        here = out
        for key in path:
            here = here.setdefault(f"f:{key}", {})
    return out


def to_paths(fields: Object, path: Path = ()) -> Iterator[Path]:
    """And back."""
    for key, inner in fields.items():
        if key.startswith("f:"):
            below = (*path, key[2:])
            yield from to_paths(inner, below) if any(k != "." for k in inner) else [below]


def get(value: Object, path: Path) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None  # pyright: ignore[reportAssignmentType]
    return value


def put(value: Object, path: Path, inner: Any) -> None:
    for key in path[:-1]:
        value = value.setdefault(key, {})
    value[path[-1]] = copy.deepcopy(inner)


def drop(value: Object, path: Path) -> None:
    for key in path[:-1]:
        value = value.get(key, {})
    value.pop(path[-1], None)


@dataclass
class WritableApiServer(FakeApiServer):
    """Takes server-side applies of objects that stand.

    Attributes:
        applied: what was sent: path with query, and body.
        before_patch: called with each path before it is answered: somebody else at work.
        forbidden: refuses every write.
    """

    applied: list[tuple[str, Object]] = field(default_factory=list)
    before_patch: Callable[[str], None] = lambda _: None
    forbidden: bool = False

    def put(self, *values: Object) -> None:
        for value in values:
            meta = value["metadata"]
            meta.setdefault("uid", f"uid-of-{meta['name']}")
            meta.setdefault("resourceVersion", "1")
            meta.setdefault("generation", 1)
        super().put(*values)

    def patch(self, path: str, content_type: str, body: bytes, authorization: str | None) -> tuple[int, Any]:
        parts, sent = urlsplit(path), json.loads(body)
        self.applied.append((path, sent))
        self.before_patch(parts.path)
        if self.token and authorization != f"Bearer {self.token}":
            return UNAUTHORIZED
        if self.forbidden:
            return status(403, "Forbidden", 'User "ci" cannot patch resource "httproutes"')
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if content_type != "application/apply-patch+yaml":
            return status(415, "UnsupportedMediaType", "the body of the request was in an unknown format")
        live = self.objects.get(parts.path)
        if live is None:
            return status(409, "Conflict", "Operation cannot be fulfilled: uid mismatch")
        meta = sent["metadata"]
        if any(key in meta and meta[key] != live["metadata"][key] for key in ("uid", "resourceVersion")):
            return status(409, "Conflict", "the object has been modified; please apply your changes to the latest version")
        self.objects[parts.path] = apply(live, sent, query["fieldManager"], force=query.get("force") == "true")
        return 200, self.objects[parts.path]


def apply(live: Object, sent: Object, manager: str, *, force: bool = True) -> Object:
    """The object after a server-side apply: what the manager owned and does not send goes, what it sends it owns."""
    out = copy.deepcopy(live)
    entries = out["metadata"].setdefault("managedFields", [])
    own = next((e for e in entries if (e["manager"], e["operation"]) == (manager, "Apply")), None)
    others = [e for e in entries if e is not own]
    sends = set(leaves(sent)) - IDENTITY
    for entry in others:
        taken = {p for p in to_paths(entry["fieldsV1"]) if p in sends and get(live, p) != get(sent, p)}
        assert force or not taken, "a conflict, where the tests never go without force"
        entry["fieldsV1"] = to_fields(set(to_paths(entry["fieldsV1"])) - taken)
    kept = {path for entry in others for path in to_paths(entry["fieldsV1"])}
    for path in set(to_paths(own["fieldsV1"]) if own else ()) - sends - kept:
        drop(out, path)
    for path in sends:
        put(out, path, get(sent, path))
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    entry = {"manager": manager, "operation": "Apply", "apiVersion": sent["apiVersion"], "time": now, "fieldsType": "FieldsV1"}
    out["metadata"]["managedFields"] = [*others, {**entry, "fieldsV1": to_fields(sends)}]
    out["metadata"]["generation"] += out.get("spec") != live.get("spec")
    out["metadata"]["resourceVersion"] = str(int(live["metadata"]["resourceVersion"]) + 1)
    return out


def by_hand(live: Object, change: Callable[[Object], None], manager: str = "kubectl-edit") -> Object:
    """The object after somebody else's update of fields: what it changes, it takes."""
    out = copy.deepcopy(live)
    change(out)
    changed = {path for path in leaves({k: v for k, v in out.items() if k != "status"}) if get(live, path) != get(out, path)}
    changed = {path for path in changed if path[:2] != ("metadata", "managedFields")}
    entries = out["metadata"].get("managedFields", [])
    for entry in entries:
        entry["fieldsV1"] = to_fields(set(to_paths(entry["fieldsV1"])) - changed)
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    entry = {"manager": manager, "operation": "Update", "apiVersion": out["apiVersion"], "time": now, "fieldsType": "FieldsV1"}
    out["metadata"]["managedFields"] = [*entries, {**entry, "fieldsV1": to_fields(changed)}]
    out["metadata"]["resourceVersion"] = str(int(out["metadata"]["resourceVersion"]) + 1)
    return out
