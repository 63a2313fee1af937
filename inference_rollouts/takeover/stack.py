"""Everything that was read as one stack config, with comments that say where each part is from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inference_rollouts import naming
from inference_rollouts.errors import InputError
from inference_rollouts.plan import plan_for
from inference_rollouts.settings import PROJECT, load
from inference_rollouts.settings.report import within
from inference_rollouts.takeover import adapters, routes, services, words
from inference_rollouts.takeover.findings import Finding
from inference_rollouts.takeover.inventory import Inventory
from inference_rollouts.takeover.routes import ServiceRoute
from inference_rollouts.takeover.service_config import Around, ServiceFound, label
from inference_rollouts.takeover.shapes import parts

STAND_IN = {"name": "cluster", "location": "us-central1"}
"""In place of a cluster that is not known, while the config is judged; never written."""

Place = tuple[str, ...]
AFFIXES = re.compile(r"^(routes?-to-|httproutes?-)|(-http)?-?routes?$")


@dataclass(frozen=True)
class Given:
    """What the manifests do not say.

    Attributes:
        cluster: `cluster` of the stack config; None when it is not known.
        project: `gcp:project`.
    """

    cluster: Mapping[str, Any] | None = None
    project: str | None = None


@dataclass
class Takeover:
    """What was read, as a stack config.

    Attributes:
        config: all config keys to their values; empty when there is no service.
        comments: lines to stand above a key, by place.
        findings: everything a person should know.
        valid: whether the config can be rendered.
    """

    inventory: Inventory
    config: dict[str, Any] = field(default_factory=dict)
    comments: dict[Place, list[str]] = field(default_factory=dict)
    services: list[ServiceFound] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    valid: bool = False

    def of(self, level: str) -> list[Finding]:
        """The findings of a level, each once."""
        return list(dict.fromkeys(f for f in self.findings if f.level == level))

    @property
    def whole(self) -> bool:
        """Whether the stack file says all of it."""
        return bool(self.services) and not self.of("cannot")

    @property
    def judged(self) -> dict[str, Any]:
        """The config with a stand-in for a cluster that is not known: to render it, never to be written."""
        return self.config if f"{PROJECT}:cluster" in self.config else {**self.config, f"{PROJECT}:cluster": STAND_IN}


def take(inventory: Inventory, given: Given, findings: Iterable[Finding] = ()) -> Takeover:
    """The stack config that describes what exists."""
    out = Takeover(inventory, findings=[*findings, *(twice.says("assumed", words.twice()) for twice in inventory.twice)])
    found = [r for route in inventory.of_kind("HTTPRoute") if (r := routes.read(route, inventory))]
    if not found:
        out.findings.append(Finding("cannot", words.no_service()))
    gateway = _gateway(found)
    cluster = dict(given.cluster) if given.cluster else STAND_IN
    taken: dict[str, str] = {}
    for route in found:
        around = Around(cluster, gateway, _service_name(route, taken), taken)
        out.services.append(services.find(route, inventory, around))
        out.findings += [*route.findings, *out.services[-1].findings]
    _orphans(out)
    if found:
        _write(out, given, gateway)
        _judge(out)
    by_context = given.cluster is not None and "name" not in given.cluster
    policies = [p for p in inventory.of_kind("HealthCheckPolicy", "GCPBackendPolicy") if by_context]
    out.findings += [policies[0].says("assumed", words.gke_by_context())] if policies else []
    if given.cluster is None and found:
        out.findings.append(Finding("cannot", words.cluster_missing(), path="cluster"))
    return out


# --- names ------------------------------------------------------------------------------------------------------------


def _service_name(route: ServiceRoute, taken: dict[str, str]) -> str:
    """The label that this package writes, else the route's name without what only says that it is a route."""
    wanted = route.route.labels.get(naming.SERVICE_LABEL) or AFFIXES.sub("", route.route.name) or route.route.name
    name = label(wanted)
    while f"service {name}" in taken:
        name = label(f"{route.route.namespace}-{route.route.name}") if name == label(wanted) else f"{name}-2"
    taken[f"service {name}"] = route.route.title
    return name


def _gateway(found: Sequence[ServiceRoute]) -> dict[str, Any]:
    """The parent that most routes have."""
    parents = Counter(
        (str(ref.get("name")), ref.get("namespace"))
        for route in found
        for ref in route.parents
        if "kind" not in ref and "group" not in ref and isinstance(ref.get("namespace", ""), str)
    )
    if not parents:
        return {"name": "gateway"}
    name, namespace = parents.most_common(1)[0][0]
    return {"name": name, **({"namespace": namespace} if namespace else {})}


# --- the config -------------------------------------------------------------------------------------------------------


def _write(out: Takeover, given: Given, gateway: Mapping[str, Any]) -> None:
    if given.project:
        out.config["gcp:project"] = given.project
    if given.cluster is not None:
        out.config[f"{PROJECT}:cluster"] = dict(given.cluster)
    out.config[f"{PROJECT}:gateway"] = dict(gateway)
    key = f"{PROJECT}:services"
    if given.cluster is None:
        out.comments[(f"{PROJECT}:gateway",)] = [
            f"{PROJECT}:cluster: {{ name: …, location: … }} is missing: {words.cluster_missing()}"
        ]
    out.config[key] = {}
    for service in out.services:
        out.config[key][service.name] = service.config
        _comment(out, service)


def _comment(out: Takeover, service: ServiceFound) -> None:
    for place, lines in service.comments.items():
        out.comments[(f"{PROJECT}:services", service.name, *place)] = lines


def _judge(out: Takeover) -> None:
    """The config as it is validated; a version that is only a draft becomes a comment where it is not valid."""
    key = f"{PROJECT}:services"
    while True:
        try:
            plan_for(load({k.removeprefix(f"{PROJECT}:"): v for k, v in out.judged.items() if k.startswith(PROJECT)}))
            out.valid = True
            return
        except InputError as e:
            drafts = {f"services.{s.name}.versions.{d}": (s, d) for s in out.services for d in s.drafts}
            said = {place: [p.message for p in e.problems if within(p.path, place)] for place in drafts}
            for place in sorted(place for place in drafts if said[place]):
                service, draft = drafts[place]
                service.drop_draft(draft, said[place])
                _comment(out, service)
                out.comments.pop((key, service.name, "versions", draft), None)
            if not any(said.values()):
                out.findings += [Finding("cannot", words.invalid(p.path, p.message), path=p.path) for p in e.problems]
                return


# --- what no service needs ----------------------------------------------------------------------------------------------


def _orphans(out: Takeover) -> None:
    """Pools that no route leads to, and weights on pools that no service has."""
    pools = {(s.namespace, v.pool) for s in out.services for v in s.versions}
    kept = {(s.namespace, ref.name) for s in out.services for rule in s.route.others for ref in routes.pool_refs(rule)}
    for pool in out.inventory.of_kind("InferencePool") if out.services else ():
        if (pool.namespace, pool.name) not in pools | kept:
            out.findings.append(pool.says("left", words.unused_pool()))
    for found in out.inventory.of_kind("InferenceModel", "InferenceModelRewrite"):
        refs = [
            found.spec.get("poolRef"),
            *(v.get("poolRef") for v in parts(found.spec.get("versions"))),
        ]
        for pool in dict.fromkeys(str(ref.get("name")) for ref in refs if isinstance(ref, Mapping)):
            if (found.namespace, pool) not in pools:
                unused: list[Finding] = []
                list(adapters.aliases(pool, found.namespace, Inventory([found]), unused))
                out.findings += [*unused, found.says("cannot", words.no_route_to(pool), "spec.poolRef")]
