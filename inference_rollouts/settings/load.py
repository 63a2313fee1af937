"""One loader for `pulumi.Config` and for files: a mapping becomes a Stack, or every problem at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import ErrorDetails

from inference_rollouts.errors import InputError, allowed, nearest_word, shown
from inference_rollouts.settings import checks, like, sentences
from inference_rollouts.settings.conditions import Metrics
from inference_rollouts.settings.model import Cluster, Gateway, Service, Stack
from inference_rollouts.settings.parse import cleaned, parsed
from inference_rollouts.settings.prices import prices_of
from inference_rollouts.settings.report import Place, Report

PROJECT = "inference-rollouts"
"""Name of the Pulumi project, and so the namespace of its config keys."""


def load(mapping: Mapping[str, Any], *, broken: Iterable[str] = ()) -> Stack:
    """Typed settings from the stack config.

    Args:
        mapping: the project's own keys (`cluster`, `gateway`, `services`) to their values.
        broken: paths about which the reader of a file has said what is wrong; nothing more is said about them.

    Raises:
        InputError: with every problem that was found.
    """
    report = Report(broken)
    raw = cleaned(mapping, (), report)
    raw = raw if isinstance(raw, dict) else {}
    known = sentences.keys_of(Stack)
    for key in raw:
        if key not in known:
            near = nearest_word(key, known)
            report.say(f"is no key of this project{allowed(key, known)}", key, meant=[near] if near else [])
    cluster = parsed(Cluster, raw.get("cluster"), ("cluster",), report)
    gateway = parsed(Gateway, raw.get("gateway"), ("gateway",), report)
    metrics = parsed(Metrics, raw["metrics"], ("metrics",), report) if raw.get("metrics") is not None else None
    prices = prices_of(raw.get("prices"), report)
    services = _services(raw.get("services"), report)
    report.problems += checks.name_problems(services, report)
    report.add(checks.stack_problems(cluster, gateway, services, report))
    if report.problems or cluster is None or gateway is None:
        raise InputError(_said_once(report, raw.get("services")))
    return Stack.model_construct(cluster=cluster, gateway=gateway, services=services, metrics=metrics, prices=prices)


def _services(raw: Any, report: Report) -> dict[str, Service]:
    at: Place = ("services",)
    if not isinstance(raw, Mapping) or not raw:
        what = "is missing" if raw is None else "holds no service" if raw == {} else f"{shown(raw)} is given, a map is wanted"
        if not report.touches(*at):
            report.say(f"{what}: name at least one service, as services.llm", *at)
        return {}
    services = {name: _service(value, (*at, name), report) for name, value in raw.items()}
    return {name: service for name, service in services.items() if service is not None}


def _service(raw: Any, at: Place, report: Report) -> Service | None:
    """A service, its versions with all that they inherit; a template need not be complete."""
    if not isinstance(raw, Mapping) or not isinstance(raw.get("versions"), Mapping):
        return parsed(Service, raw, at, report)
    versions = raw["versions"]
    found = list(like.problems(versions, (*at, "versions")))
    report.add(found)
    report.broken |= {problem.path for problem in found} | like.follow_ups(report.broken, versions, (*at, "versions"))
    rollout = raw.get("rollout")
    built = [raw.get("serving"), rollout.get("to") if isinstance(rollout, Mapping) else None]

    def said(error: ErrorDetails) -> bool:
        location = error["loc"]
        if error["type"] != "missing" or location[0] != "versions":
            return True
        chain = (str(location[1]), *like.bases(versions, str(location[1])))
        return location[1] in built and not any(report.touches(*at, "versions", name, "like") for name in chain)

    return parsed(Service, {**raw, "versions": like.resolve(versions)}, at, report, said=said)


def _said_once(report: Report, services: Any) -> list[Any]:
    found = report.problems
    for name, raw in services.items() if isinstance(services, Mapping) else ():
        if isinstance(raw, Mapping) and isinstance(raw.get("versions"), Mapping):
            found = like.said_once(found, raw["versions"], ("services", name, "versions"))
    return found
