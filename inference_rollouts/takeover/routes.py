"""An HTTPRoute as the route of a service: the rule that splits between InferencePools, and everything around it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inference_rollouts import naming
from inference_rollouts.manifests.inference_pool import POOL_GROUP
from inference_rollouts.takeover import normal, precedence, words
from inference_rollouts.takeover.findings import Finding
from inference_rollouts.takeover.inventory import Existing, Inventory
from inference_rollouts.takeover.shapes import part, parts, texts

POOL_GROUPS = tuple(dict.fromkeys(POOL_GROUP.values()))
KEPT_BY_US = {"matches", "backendRefs"}
"""Keys of a weighted rule that a service's route has."""

SPEC = {"parentRefs", "hostnames", "rules"}
"""Keys of a route's spec that a service's route has."""

REF = {"group", "kind", "name", "weight"}
GITOPS = ("argocd.argoproj.io/", "kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/")
FOREIGN_WRITERS = re.compile(r"(argo-?rollouts|rollouts-controller|flagger|kserve|knative)", re.IGNORECASE)
"""Field managers that move weights by themselves."""


@dataclass(frozen=True)
class PoolRef:
    """A backend of the weighted rule.

    Attributes:
        group, name: of the InferencePool.
        weight: as it stands, in no unit.
    """

    group: str
    name: str
    weight: int


@dataclass(frozen=True)
class ServiceRoute:
    """What was read of one HTTPRoute.

    Attributes:
        refs: the backends of the weighted rule, in their order.
        matches: of the weighted rule, without defaults; empty for every path.
        others: further rules, as they are.
        test: header, value and pool of a rule that pins test traffic.
        parents: parentRefs without defaults.
    """

    route: Existing
    refs: tuple[PoolRef, ...]
    matches: tuple[Mapping[str, Any], ...] = ()
    others: tuple[Mapping[str, Any], ...] = ()
    test: tuple[str, str, str] | None = None
    parents: tuple[Mapping[str, Any], ...] = ()
    hostnames: tuple[str, ...] = ()
    findings: list[Finding] = field(default_factory=list)


def read(route: Existing, inventory: Inventory) -> ServiceRoute | None:
    """The route of a service; None where no rule leads to an InferencePool."""
    findings: list[Finding] = []
    rules = list(_rules(route, inventory, findings))
    chosen = _chosen(rules)
    if chosen is None:
        return None
    rule = rules[chosen]
    refs = tuple(pool_refs(rule))
    findings += _not_ours(route, rule, chosen)
    others, test = _around(route, rules, chosen, refs, findings)
    findings += _writers(route)
    matches = tuple(normal.match(m) for m in parts(rule.get("matches")))
    parents = parts(route.spec.get("parentRefs"))
    if not parents:
        findings.append(route.says("cannot", words.no_parents(), "spec.parentRefs"))
    return ServiceRoute(
        route=route,
        refs=refs,
        matches=() if matches == ({},) else matches,
        others=others,
        test=test,
        parents=tuple(normal.effective({"kind": "HTTPRoute", "spec": {"parentRefs": parents}})["spec"]["parentRefs"]),
        hostnames=tuple(texts(route.spec.get("hostnames"))),
        findings=findings,
    )


# --- reading the rules, and mending what the documentation gets wrong --------------------------------------------------


def _rules(route: Existing, inventory: Inventory, findings: list[Finding]) -> Iterator[dict[str, Any]]:
    rules = route.spec.get("rules")
    if isinstance(rules, Mapping):
        findings.append(route.says("assumed", words.rules_as_map(), "spec.rules"))
        rules = [rules]
    for i, rule in enumerate(rules if isinstance(rules, list) else ()):
        if not isinstance(rule, Mapping):
            findings.append(route.says("cannot", words.no_map(), f"spec.rules[{i}]"))
            continue
        refs = rule.get("backendRefs") or []
        if isinstance(refs, Mapping):
            findings.append(route.says("assumed", words.refs_as_map(), f"spec.rules[{i}].backendRefs"))
            refs = [refs]
        if not isinstance(refs, list):
            findings.append(route.says("cannot", words.no_list(), f"spec.rules[{i}].backendRefs"))
            refs = []
        mended = [_mended(route, ref, f"spec.rules[{i}].backendRefs[{j}]", inventory, findings) for j, ref in enumerate(refs)]
        rest = {key: value for key, value in rule.items() if key != "backendRefs"}
        yield {**rest, "backendRefs": mended} if mended else rest


def _mended(route: Existing, ref: Any, path: str, inventory: Inventory, findings: list[Finding]) -> Any:
    """An InferencePool without its group means a core Service of that kind, which there is not: 500s for its share."""
    if not isinstance(ref, Mapping) or ref.get("kind") != "InferencePool" or ref.get("group"):
        return ref
    namespace = str(ref.get("namespace") or route.namespace)
    pool = inventory.get("InferencePool", namespace, str(ref.get("name")))
    group = pool.group if pool and pool.group in POOL_GROUPS else POOL_GROUPS[0]
    findings.append(route.says("assumed", words.no_group(str(ref.get("name")), group), f"{path}.group"))
    return {**ref, "group": group}


def _is_pool(ref: Any) -> bool:
    return isinstance(ref, Mapping) and ref.get("kind") == "InferencePool" and ref.get("group") in POOL_GROUPS


def pool_refs(rule: Mapping[str, Any]) -> Iterator[PoolRef]:
    """The InferencePools that a rule leads to."""
    for ref in rule.get("backendRefs") or ():
        if _is_pool(ref):
            weight = ref.get("weight", 1)
            yield PoolRef(str(ref["group"]), str(ref.get("name")), weight if isinstance(weight, int) else 0)


def _chosen(rules: Sequence[Mapping[str, Any]]) -> int | None:
    """The rule that a rollout would move: one that splits already, else the least specific one that leads to a pool."""
    leading = [i for i, rule in enumerate(rules) if any(_is_pool(ref) for ref in rule.get("backendRefs") or ())]
    if not leading:
        return None
    return min(leading, key=lambda i: (len(list(pool_refs(rules[i]))) < 2, _specificity(rules[i]), -i))


def _specificity(rule: Mapping[str, Any]) -> int:
    matches = [normal.match(m) for m in parts(rule.get("matches"))] or [{}]
    return min(len(str(part(m, "path").get("value", ""))) + 1000 * len(parts(m.get("headers"))) for m in matches)


# --- what a service's route has no place for ---------------------------------------------------------------------------


def _not_ours(route: Existing, rule: Mapping[str, Any], index: int) -> Iterator[Finding]:
    at = f"spec.rules[{index}]"
    for key in _other_keys(route.spec, SPEC):
        yield route.says("cannot", words.route_key(key), f"spec.{key}")
    for key in _other_keys(rule, KEPT_BY_US):
        yield route.says("cannot", words.rule_key(key), f"{at}.{key}")
    for j, ref in enumerate(rule.get("backendRefs") or ()):
        yield from _not_our_backend(route, ref, f"{at}.backendRefs[{j}]")
    pools = list(pool_refs(rule))
    groups = sorted({ref.group for ref in pools})
    if len(groups) > 1:
        yield route.says("cannot", words.two_groups(groups), f"{at}.backendRefs")
    for pool, times in Counter(ref.name for ref in pools).items():
        if times > 1:
            yield route.says("cannot", words.listed_twice(pool), f"{at}.backendRefs")
    if len(pools) > 2:
        yield route.says("cannot", words.many_backends(len(pools)), f"{at}.backendRefs")


def _other_keys(value: Mapping[str, Any], known: set[str]) -> list[str]:
    """Further keys that say something."""
    return sorted(key for key in value.keys() - known if value[key] not in (None, [], {}))


def _not_our_backend(route: Existing, ref: Any, place: str) -> Iterator[Finding]:
    if not _is_pool(ref):
        yield route.says("cannot", words.other_backend(_said(ref)), place)
        return
    for key in sorted(ref.keys() - REF):
        if key != "namespace" or ref[key] != route.namespace:
            yield route.says("cannot", words.ref_key(key), f"{place}.{key}")
    weight = ref.get("weight", 1)
    if not isinstance(weight, int) or isinstance(weight, bool) or weight < 0:
        yield route.says("cannot", words.no_weight(weight), f"{place}.weight")


def _said(ref: Any) -> str:
    if not isinstance(ref, Mapping):
        return "something that is no map"
    return f"{ref.get('kind') or 'Service'} {ref.get('name')}"


def _around(
    route: Existing, rules: Sequence[Mapping[str, Any]], chosen: int, refs: tuple[PoolRef, ...], findings: list[Finding]
) -> tuple[tuple[Mapping[str, Any], ...], tuple[str, str, str] | None]:
    """The further rules; and among them the one that pins test traffic."""
    whole = _matches(rules[chosen])
    others: list[Mapping[str, Any]] = []
    test: tuple[str, str, str] | None = None
    for i, rule in enumerate(rules):
        if i == chosen:
            continue
        pinned = _pinned(rule, whole, refs)
        if pinned and test is None and not any(_order_decides(rule, rules[j]) for j in _overtaking(i, chosen, len(rules))):
            test = pinned
            continue
        at = f"spec.rules[{i}]"
        others.append(_with_backends(route, rule, at, findings))
        if i > chosen and _order_decides(rule, rules[chosen]):
            same = any(m in whole for m in _matches(rule))
            sentence = words.order_matters(chosen) if same else words.order_turns(chosen)
            findings.append(route.says("cannot", sentence, f"{at}.matches"))
        pools = [ref.name for ref in pool_refs(rule)]
        if pools:
            findings.append(route.says("left", words.kept_pool_rule(pools), at))
    return tuple(others), test


def _with_backends(route: Existing, rule: Mapping[str, Any], at: str, findings: list[Finding]) -> Mapping[str, Any]:
    """A further rule, without backends that are none."""
    refs = rule.get("backendRefs") or []
    odd = [j for j, ref in enumerate(refs) if not isinstance(ref, Mapping)]
    findings += [route.says("cannot", words.no_map(), f"{at}.backendRefs[{j}]") for j in odd]
    return {**rule, "backendRefs": parts(refs)} if odd else rule


def _overtaking(index: int, chosen: int, count: int) -> Iterator[int]:
    """The rules that a rule would change places with as the test of the rollout, which stands just before the weighted rule."""
    yield from (j for j in range(index + 1, count) if j != chosen)
    if index > chosen:
        yield chosen


def _order_decides(rule: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return precedence.order_decides(_matches(rule), _matches(other))


def _matches(rule: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [normal.match(m) for m in parts(rule.get("matches"))] or [{}]


def _pinned(rule: Mapping[str, Any], whole: list[dict[str, Any]], refs: tuple[PoolRef, ...]) -> tuple[str, str, str] | None:
    """Header, value and pool, when the rule is the weighted one's with one header more, and leads to its second pool."""
    here = list(pool_refs(rule))
    if (
        len(here) != 1
        or len(refs) != 2
        or (here[0].group, here[0].name) != (refs[1].group, refs[1].name)
        or here[0].weight == 0
        or rule.keys() - KEPT_BY_US
        or len(rule["backendRefs"]) != 1
        or rule["backendRefs"][0].keys() - REF
    ):
        return None
    matches = _matches(rule)
    headers = [parts(m.get("headers")) for m in matches]
    last = [listed[-1] if listed else {} for listed in headers]
    if any(header != last[0] for header in last) or last[0].keys() != {"name", "value"}:
        return None
    rest = [{**m, "headers": listed[:-1]} for m, listed in zip(matches, headers, strict=True)]
    same = [{key: value for key, value in m.items() if value != []} for m in rest] == whole
    return (str(last[0]["name"]), str(last[0]["value"]), here[0].name) if same else None


def _writers(route: Existing) -> Iterator[Finding]:
    """Those who would write the route beside us."""
    for manager in sorted(m for m in route.managers if FOREIGN_WRITERS.search(m)):
        yield route.says("cannot", words.foreign_writer(manager), "metadata.managedFields")
    if route.owner:
        yield route.says("cannot", words.owned(route.owner), "metadata.ownerReferences")
    by_gitops = [key for key in (*route.labels, *route.annotations) if key.startswith(GITOPS)]
    if by_gitops:
        yield route.says("left", words.gitops(by_gitops[0].partition("/")[0]), "metadata")
    dropped = [*(f"label {key}" for key in route.labels), *(f"annotation {key}" for key in route.annotations)]
    dropped = [text for text in dropped if not text.partition(" ")[2].startswith((f"{naming.DOMAIN}/", "pulumi.com/", *GITOPS))]
    if dropped:
        yield route.says("left", words.not_written(dropped), "metadata")
