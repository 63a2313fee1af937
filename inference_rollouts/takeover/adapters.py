"""Weighted model names on the pools of a service as its adapters."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inference_rollouts import naming
from inference_rollouts.manifests.adapter_split import PRIORITY
from inference_rollouts.takeover import pickers, splits, words
from inference_rollouts.takeover.findings import Finding
from inference_rollouts.takeover.inventory import Existing, Inventory
from inference_rollouts.takeover.shapes import part, parts

CRITICALITY = {priority: word for word, priority in PRIORITY.items()}
VERSION_SUFFIX = re.compile(r"[-_.]?v?\d+$")


@dataclass(frozen=True)
class Alias:
    """A model name that is spread over others, on one pool.

    Attributes:
        targets: weight by name, in no unit; None where the object gives none.
    """

    found: Existing
    name: str
    targets: Mapping[str, int | None]
    criticality: str | None = None
    path: str = ""


@dataclass
class AdaptersFound:
    """What was read of the adapters of a service.

    Attributes:
        adapters: as the stack file has them.
        overrides: sources that a version has for its own base, by version.
        names: model names that are no adapters, as far as is known.
    """

    adapters: dict[str, dict[str, Any]] = field(default_factory=dict)
    overrides: dict[str, dict[str, Any]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    comments: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def aliases(pool: str, namespace: str, inventory: Inventory, findings: list[Finding]) -> Iterator[Alias]:
    """All model names that objects spread on a pool."""
    for found in inventory.of_kind("InferenceModelRewrite", "InferenceModel", namespace=namespace):
        if found.kind == "InferenceModel" and isinstance(found.spec.get("versions"), list):
            yield from _of_the_page(found, pool, findings)
        elif part(found.spec, "poolRef").get("name") != pool:
            continue
        elif found.kind == "InferenceModel":
            path = "spec.targetModels"
            targets = _targets(found, parts(found.spec.get("targetModels")), "name", path, findings)
            yield Alias(found, str(found.spec.get("modelName")), targets, found.spec.get("criticality"), path)
        else:
            yield from _of_a_rewrite(found, findings)


def _of_a_rewrite(found: Existing, findings: list[Finding]) -> Iterator[Alias]:
    for i, rule in enumerate(parts(found.spec.get("rules"))):
        path = f"spec.rules[{i}]"
        findings += _not_ours(found, rule, path)
        listed = parts(rule.get("targets")) or parts(rule.get("split"))
        targets = _targets(found, listed, "modelRewrite", path, findings)
        names = [str(part(m, "model").get("value")) for m in parts(rule.get("matches"))]
        for name in names or [""]:
            yield Alias(found, name, targets, path=path)


def _not_ours(found: Existing, rule: Mapping[str, Any], path: str) -> Iterator[Finding]:
    """What a rule asks for or says beside a model name and its targets."""
    for key in sorted(rule.keys() - {"matches", "targets", "split"}):
        yield found.says("cannot", words.rewrite_key(key), f"{path}.{key}")
    for j, match in enumerate(parts(rule.get("matches"))):
        for key in sorted(match.keys() - {"model"}):
            yield found.says("cannot", words.rewrite_key(key), f"{path}.matches[{j}].{key}")


def _targets(
    found: Existing, listed: Sequence[Mapping[str, Any]], key: str, path: str, findings: list[Finding]
) -> dict[str, int | None]:
    """Weight by name; a name that comes twice is said, since of its weights one is read."""
    names = Counter(str(target.get(key)) for target in listed)
    findings += [found.says("cannot", words.target_twice(name), path) for name, times in names.items() if times > 1]
    return {str(target.get(key)): target.get("weight") for target in listed}


def _of_the_page(found: Existing, pool: str, findings: list[Finding]) -> Iterator[Alias]:
    """The form of GKE's page, which no CRD ever had: `versions`, each with a modelName, a weight and a poolRef of its own."""
    here = [v for v in parts(found.spec["versions"]) if part(v, "poolRef").get("name") == pool]
    if not here:
        return
    targets = _targets(found, here, "modelName", "spec.versions", findings)
    stems = {VERSION_SUFFIX.sub("", name) for name in targets}
    alias = stems.pop() if len(stems) == 1 and "" not in stems else found.name
    levels = {str(v["criticality"]) for v in here if v.get("criticality") is not None}
    findings.append(found.says("assumed", words.page_versions(alias, list(targets)), "spec.versions"))
    if len(levels) > 1:
        findings.append(found.says("cannot", words.levels_differ(alias, sorted(levels)), "spec.versions"))
    yield Alias(found, alias, targets, levels.pop() if len(levels) == 1 else None, "spec.versions")


def find(versions: Sequence[Any], namespace: str, inventory: Inventory) -> AdaptersFound:
    """The adapters of a service, from the objects on the pools of its versions.

    Args:
        versions: VersionFound, the old one first.
        namespace: the service's.
        inventory: everything that was read.
    """
    out = AdaptersFound()
    for version in versions:
        for alias in aliases(version.pool, namespace, inventory, out.findings):
            if not alias.targets or set(alias.targets) == {alias.name}:
                _take_name(alias, version, out)
            elif not version.managed:
                out.findings.append(alias.found.says("cannot", words.adapters_of_others(alias.name, version.pool), alias.path))
            else:
                _take(alias, version, inventory, out)
    if not any(finding.level == "cannot" for finding in out.findings):
        out.findings += [found for version in versions if version.managed for found in _unclaimed(version, inventory, out)]
    for version in versions:
        for objective in pickers.on_pool(version.exists, inventory, "InferenceObjective") if version.exists else ():
            _objective(objective, version.pool, out)
    return out


def _take_name(alias: Alias, version: Any, out: AdaptersFound) -> None:
    """A name that is not spread is a model name, unless the servers do not answer to it as one: then it is an adapter's."""
    line = version.server.line if version.server else None
    if line is None or not line.names or alias.name in line.names:
        out.names.append(alias.name)
    elif alias.found.kind == "InferenceModel" or alias.name not in line.adapters:
        message = words.name_of_adapter(alias.name, version.name, line.names)
        out.findings.append(alias.found.says("cannot", message, alias.path))
    wanted = _wanted(alias, version)
    if version.managed and alias.found.kind == "InferenceModel" and alias.found.name != wanted:
        out.findings.append(alias.found.says("cannot", words.alias_name(alias.name, wanted), "metadata.name"))
    if alias.criticality not in (None, "Standard"):
        out.findings.append(alias.found.says("cannot", words.criticality_of_model(alias.name), "spec.criticality"))


def _wanted(alias: Alias, version: Any) -> str:
    """The name that the program gives to the object."""
    return f"{version.pool}-{naming.object_name(alias.name)}"


def _take(alias: Alias, version: Any, inventory: Inventory, out: AdaptersFound) -> None:
    wanted = _wanted(alias, version)
    if not alias.name or alias.found.name != wanted:
        message = words.matches_all() if not alias.name else words.alias_name(alias.name, wanted)
        out.findings.append(alias.found.says("cannot", message, alias.path))
        return
    given = list(alias.targets.values())
    weights = splits.percent([w if isinstance(w, int) else 0 for w in given] if any(given) else [1] * len(given))
    where = splits.standing(list(alias.targets), weights, splits.noted(alias.found)) if weights else None
    if where is None:
        out.findings.append(alias.found.says("cannot", words.weights_odd(given), alias.path))
        return
    held = _sources(version, inventory)
    lacking = [name for name in (where.serving, where.to) if name and name not in held]
    if lacking:
        out.findings.append(alias.found.says("cannot", words.no_sources(lacking, version.name), alias.path))
        return
    entry = out.adapters.setdefault(alias.name, {"serving": where.serving, "versions": {}})
    for name in (where.serving, where.to):
        if name:
            first = entry["versions"].setdefault(name, {"source": held[name]})
            if first["source"] != held[name]:
                out.overrides.setdefault(version.name, {})[name] = {"source": held[name]}
    rollout = where.rollout()
    if entry.get("rollout", rollout) != rollout or entry["serving"] != where.serving:
        out.findings.append(alias.found.says("cannot", words.splits_differ(alias.name), alias.path))
    if rollout:
        entry["rollout"] = rollout
    if alias.criticality:
        entry["criticality"] = alias.criticality
    out.comments[alias.name] = f"{alias.found.title}, {where.how}" if where.how else alias.found.title


def _unclaimed(version: Any, inventory: Inventory, out: AdaptersFound) -> Iterator[Finding]:
    """Adapters that answer requests, and that the stack file would not have: the first update would unload them."""
    claimed = {name for entry in out.adapters.values() for name in entry["versions"]}
    lost = [str(item.get("name")) for item in _listed(version, inventory) if item.get("routed")]
    if lost := [name for name in lost if name not in claimed]:
        yield version.server.deployment.says("cannot", words.adapters_unclaimed(lost, version.name))


def _sources(version: Any, inventory: Inventory) -> dict[str, str]:
    """Where the servers of a version have their adapters from."""
    listed = _listed(version, inventory)
    return {str(item["name"]): str(item["source"]) for item in listed if "name" in item and "source" in item}


def _listed(version: Any, inventory: Inventory) -> list[Mapping[str, Any]]:
    """The list that this package's sidecar reads; empty where it is none."""
    deployment = version.server.deployment
    listed = inventory.get("ConfigMap", deployment.namespace, f"{deployment.name}-adapters")
    try:
        return parts(part(json.loads(part(listed.manifest, "data")["adapters.json"])).get("adapters")) if listed else []
    except (KeyError, TypeError, ValueError):
        return []


def _objective(objective: Existing, pool: str, out: AdaptersFound) -> None:
    priority = objective.spec.get("priority", 0)
    for name, entry in out.adapters.items():
        if objective.name == f"{pool}-{naming.object_name(name)}":
            if isinstance(priority, int) and priority in CRITICALITY:
                entry["criticality"] = CRITICALITY[priority]
            else:
                out.findings.append(objective.says("cannot", words.odd_priority(priority, sorted(CRITICALITY)), "spec.priority"))
            return
    out.findings.append(objective.says("left", words.objective_left(pool)))
