"""The keys of a service, and the comments that say where each is from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from inference_rollouts import naming
from inference_rollouts.takeover import adapters, lacks, words
from inference_rollouts.takeover.findings import Finding
from inference_rollouts.takeover.inventory import Existing, Inventory
from inference_rollouts.takeover.routes import ServiceRoute
from inference_rollouts.takeover.splits import Standing
from inference_rollouts.takeover.versions import VersionFound

Place = tuple[str, ...]
DRAFT = "-managed"


@dataclass(frozen=True)
class Around:
    """What a service stands in.

    Attributes:
        cluster, gateway: as the stack file has them.
        name: the service's name.
        taken: names of versions that are taken, with who has them; find adds its own.
    """

    cluster: Mapping[str, Any]
    gateway: Mapping[str, Any]
    name: str
    taken: dict[str, str]


@dataclass
class ServiceFound:
    """One service as it will be written.

    Attributes:
        config: its keys.
        comments: lines to stand above a key, by its place in the service.
        drafts: versions of our own that are written beside external ones, by name.
    """

    name: str
    route: ServiceRoute
    standing: Standing
    versions: list[VersionFound] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    comments: dict[Place, list[str]] = field(default_factory=dict)
    drafts: dict[str, VersionFound] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return self.route.route.namespace

    def drop_draft(self, name: str, why: list[str]) -> None:
        """Write a draft as a comment, since it is not valid as it was read."""
        version = self.drafts.pop(name)
        del self.config["versions"][name]
        self.comments.setdefault(("versions", version.name), []).extend(
            [f"a version of our own could not be written, since what was read is not valid: {'; '.join(why)}"]
        )


def label(text: str) -> str:
    """A name of a service or version: a DNS label of at most 40 characters, beginning with a letter."""
    name = naming.object_name(text.replace(".", "-"), 40)
    return name if name[0].isalpha() else f"v-{name}"[:40].rstrip("-")


def assemble(out: ServiceFound, shared: dict[str, Any], inventory: Inventory, around: Around) -> None:
    """Put everything that was found into the service's keys and comments."""
    found = adapters.find(out.versions, out.namespace, inventory)
    out.findings += found.findings
    external = all(not version.managed for version in out.versions)
    known = [*shared.get("models", ()), *(name for name in found.names if name not in found.adapters)]
    config: dict[str, Any] = {}
    if out.namespace != "default":
        config["namespace"] = out.namespace
    models = list(dict.fromkeys(known))
    if models:
        config["models"] = models
    else:
        out.comments[("route",)] = ['models: what clients send as "model" is in no manifest here; default: the service\'s name']
    config["route"] = _route(out.route, around)
    if shared.get("inferenceApi"):
        config["inferenceApi"] = shared["inferenceApi"]
    if not external:
        config |= {key: shared[key] for key in ("longestRequest", "backendPolicy") if key in shared and shared[key] != "300s"}
    config["serving"] = out.standing.serving
    config["versions"] = {version.name: _version(version, found) for version in out.versions}
    _add_drafts(out, config, inventory, around)
    if found.adapters:
        config["adapters"] = found.adapters
    if rollout := out.standing.rollout():
        config["rollout"] = rollout | _test(out)
    out.config = config
    _comment(out, found)


def _route(route: ServiceRoute, around: Around) -> dict[str, Any]:
    own = dict(around.gateway)
    if own.get("namespace") == route.route.namespace:
        own.pop("namespace")
    parents = [dict(ref) for ref in route.parents]
    plain = [{k: v for k, v in ref.items() if k != "namespace" or v != route.route.namespace} for ref in parents]
    out = {
        "name": route.route.name,
        "hostnames": list(route.hostnames),
        "matches": [dict(match) for match in route.matches],
        "parentRefs": [] if plain == [own] else parents,
        "rules": [dict(rule) for rule in route.others],
    }
    return {key: value for key, value in out.items() if value}


def _version(version: VersionFound, found: adapters.AdaptersFound) -> dict[str, Any]:
    own = found.overrides.get(version.name)
    return {**version.config, **({"adapters": own} if own else {})}


def _test(out: ServiceFound) -> dict[str, Any]:
    if out.route.test is None:
        return {}
    header, value, _ = out.route.test
    return {"test": {"header": header, "value": value}}


def _add_drafts(out: ServiceFound, config: dict[str, Any], inventory: Inventory, around: Around) -> None:
    """Beside each external version one of our own that serves the same: a template, until a rollout moves to it."""
    for version in out.versions:
        name = label(f"{version.name[: 40 - len(DRAFT)]}{DRAFT}")
        if version.draft and name not in around.taken:
            around.taken[name] = around.name
            assert version.exists is not None, "what has a draft was read"
            assert version.server is not None, "what has a draft was read"
            missing = lacks.draft(version.exists, version.server, version.draft, config, inventory)
            out.drafts[name] = replace(version, lacks=tuple(missing))
            config["versions"][name] = dict(version.draft)


def _comment(out: ServiceFound, found: adapters.AdaptersFound) -> None:
    """Where each part is from, and why it is as it is."""
    route = out.route.route
    out.comments[()] = [f"read from {_from(route)}"]
    for version in out.versions:
        lines = [f"read from {', '.join(map(_from, version.sources))}"] if version.sources else []
        if not version.managed:
            lines += ["only routed to, not managed:", *[f"  {reason}" for reason in version.why]]
        out.comments["versions", version.name] = [*lines, *(version.guessed if version.managed else ())]
    for name, version in out.drafts.items():
        out.comments["versions", name] = [
            "how to manage it fully: the same server as a version of our own, not built until a rollout moves to it",
            f"(look it through, then: rollout start STACK {out.name} --to {name})",
            *version.guessed,
            *([words.draft_lacks(version.lacks)] if version.lacks else []),
        ]
    for name, text in found.comments.items():
        out.comments["adapters", name] = [f"read from {text}"]
    if out.standing.to:
        given = "/".join(str(ref.weight) for ref in out.route.refs)
        out.comments["rollout",] = [f"the weights are {given}; {out.standing.how}"]


def _from(found: Existing) -> str:
    place = f"{found.file}:{found.line}" if found.line else found.file
    return f"{found.title} ({place})" if place else found.title
