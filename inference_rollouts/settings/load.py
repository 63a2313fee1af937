"""One loader for `pulumi.Config` and for files: a mapping becomes a Stack, or every problem at once.

A broken leaf is reported and put aside, and the rest is still checked: so one round shows all there is to mend.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from inference_rollouts.errors import InputError, Problem, nearest, path_of
from inference_rollouts.settings import checks, like, sentences
from inference_rollouts.settings.model import Cluster, Gateway, Service, Stack

M = TypeVar("M", bound=BaseModel)

PROJECT = "inference-rollouts"
"""Name of the Pulumi project, and so the namespace of its config keys."""


def load(mapping: Mapping[str, Any]) -> Stack:
    """Typed settings from the stack config.

    Args:
        mapping: the project's own keys (`cluster`, `gateway`, `services`) to their values.

    Raises:
        InputError: with every problem that was found.
    """
    problems = _unknown(mapping) + _secrets(mapping, ())
    raw = {key: value for key, value in mapping.items() if key in sentences.keys_of(Stack)}
    cluster = _parse(Cluster, raw.get("cluster"), ("cluster",), problems)
    gateway = _parse(Gateway, raw.get("gateway"), ("gateway",), problems)
    services = _services(raw.get("services"), problems)
    problems += checks.stack_problems(cluster, gateway, services, broken=[p.path for p in problems])
    if problems or cluster is None or gateway is None:
        raise InputError(problems)
    return Stack.model_construct(cluster=cluster, gateway=gateway, services=services)


def _unknown(mapping: Mapping[str, Any]) -> list[Problem]:
    known = sentences.keys_of(Stack)
    return [
        Problem(str(key), f"{key} is no key of this project{nearest(str(key), known)}; allowed: {', '.join(known)}")
        for key in mapping
        if key not in known
    ]


def _secrets(value: Any, at: tuple[str | int, ...]) -> list[Problem]:
    """Secrets stay out: one of them makes the whole key unreadable for the guards."""
    if isinstance(value, Mapping):
        if set(value) == {"secure"}:
            return [Problem(path_of(*at), "holds a secret; keep it in a Kubernetes Secret and name that (server.tokenSecret)")]
        return [p for key, inner in value.items() for p in _secrets(inner, (*at, str(key)))]
    if isinstance(value, list | tuple):
        return [p for i, inner in enumerate(value) for p in _secrets(inner, (*at, i))]
    return []


def _services(raw: Any, problems: list[Problem]) -> dict[str, Service]:
    if not isinstance(raw, Mapping) or not raw:
        what = (
            "is missing"
            if raw is None
            else "holds no service"
            if raw == {}
            else f"{sentences.given(raw)} is given, a map is wanted"
        )
        problems.append(Problem("services", f"{what}: name at least one service, as services.llm"))
        return {}
    services = {}
    for name, value in raw.items():
        at = ("services", str(name))
        service = _service(value, at, problems)
        named = _name_problem(str(name), at)
        problems += named
        if service is not None and not named:
            services[str(name)] = service
    return services


def _name_problem(name: str, at: tuple[str, ...]) -> list[Problem]:
    probe = _try(Stack, {"cluster": {}, "gateway": {"name": "g"}, "services": {name: {"serving": "v", "versions": {}}}})
    return [Problem(path_of(*at), sentences.sentence(error, Stack)) for error in probe]


def _service(raw: Any, at: tuple[str, ...], problems: list[Problem]) -> Service | None:
    """The versions are read twice: as they are written, where problems belong, and with what they inherit."""
    own = _parse(Service, raw, at, problems)
    if own is None:
        return None
    written = _pruned(Service, raw, at, [])
    if written is None:
        return None
    versions, circular = like.resolve(written["versions"], (*at, "versions"))
    problems += circular
    return _parse(Service, {**written, "versions": versions}, at, problems if not circular else [])


def _parse(model: type[M], raw: Any, at: tuple[str, ...], problems: list[Problem]) -> M | None:
    """A model from a raw value; what is broken is reported and left out."""
    pruned = _pruned(model, raw, at, problems)
    return None if pruned is None else model.model_validate(pruned)


def _pruned(model: type[BaseModel], raw: Any, at: tuple[str, ...], problems: list[Problem]) -> dict[str, Any] | None:
    """The raw value without its broken leaves, or None where nothing can be kept."""
    if not isinstance(raw, Mapping):
        what = "is missing" if raw is None else f"{sentences.given(raw)} is given, a map is wanted"
        problems.append(Problem(path_of(*at), f"{what}; keys: {', '.join(sentences.keys_of(model))}"))
        return None
    rest: dict[str, Any] = copy.deepcopy(dict(raw))
    reported: list[Problem] = []
    while errors := _try(model, rest):
        for error in errors:
            location = [part for part in error["loc"] if part != "[key]"]
            found = sentences.problem(error, model, at)
            if not _follows(found, error["type"], reported):
                reported.append(found)
            if not _remove(rest, location[:-1] if error["type"] == "missing" else location):
                problems += reported
                return None
    problems += reported
    return rest


def _try(model: type[BaseModel], raw: Any) -> list[Any]:
    try:
        model.model_validate(raw)
    except ValidationError as e:
        return sorted(e.errors(include_url=False), key=lambda error: error["type"] == "missing")
    return []


def _remove(raw: Any, location: list[str | int]) -> bool:
    """Take the leaf at a location out; in a list the whole list, so that indexes stay true."""
    for i, part in enumerate(location):
        if not isinstance(raw, dict) or part not in raw:
            return False
        following = location[i + 1] if i + 1 < len(location) else None
        if following is None or isinstance(following, int) or not isinstance(raw[part], dict):
            raw.pop(part)
            return True
        raw = raw[part]
    return False


def _follows(found: Problem, kind: str, reported: list[Problem]) -> bool:
    """Whether a missing key only follows from a misspelt one, or from a broken value, in the same map."""
    if kind != "missing":
        return False
    parent, _, key = found.path.rpartition(".")
    return any(
        p.path == found.path or (p.path.rpartition(".")[0] == parent and f"did you mean {key}?" in p.message) for p in reported
    )
