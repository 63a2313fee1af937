"""Names: that they can be names, and that each means one thing. They are judged also where something else is broken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from inference_rollouts.errors import Problem, named, path_of
from inference_rollouts.settings.model import Service
from inference_rollouts.settings.report import Place, Report
from inference_rollouts.settings.types import label_problem


def name_problems(services: Mapping[str, Service], report: Report) -> Iterator[Problem]:
    """Every problem of names in a stack."""
    yield from _labels(services, ("services",), report)
    for name, service in services.items():
        yield from _labels(service.versions, ("services", name, "versions"), report)
        yield from _names_of_models(name, service, report)
    yield from _unique_versions(services)


def _labels(names: Mapping[str, object], at: Place, report: Report) -> Iterator[Problem]:
    for name in names:
        if path_of(*at, name) not in report.broken and (problem := label_problem(name)):
            yield Problem(path_of(*at, name), problem)


def _unique_versions(services: Mapping[str, Service]) -> Iterator[Problem]:
    owner: dict[str, str] = {}
    for service, settings in services.items():
        for version in settings.versions:
            if version in owner:
                yield Problem(
                    path_of("services", service, "versions", version),
                    f"{named(version)} is a version of {named(owner[version])} too; node pools are cluster-wide, so give each version of a stack a name of its own",
                )
            owner.setdefault(version, service)


def _names_of_models(name: str, service: Service, report: Report) -> Iterator[Problem]:
    """One name means one thing: a model, an adapter that clients ask for, or a version that the servers hold."""
    at: Place = ("services", name)
    seen: dict[str, str] = {}

    def taken(word: str, *place: str | int) -> Iterator[Problem]:
        if word in seen:
            yield Problem(
                path_of(*at, *place),
                f"{named(word)} is the name of {seen[word]} too; a name means one thing in a service: give one of them another",
            )
        seen.setdefault(word, path_of(*place))

    if not service.models and not report.touches(*at, "models"):
        seen[name] = "the service's model (the service's own name, since models is not given)"
    for i, model in enumerate(service.models):
        yield from taken(model, "models", i)
    for adapter, settings in service.adapters.items():
        yield from taken(adapter, "adapters", adapter)
        for version in settings.versions:
            yield from taken(version, "adapters", adapter, "versions", version)
