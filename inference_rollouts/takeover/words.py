"""Every sentence about taking over what exists, once: what is wrong, what was assumed, what cannot be said, what to do."""

from __future__ import annotations

from collections.abc import Sequence

from inference_rollouts.errors import all_of, first_of, named, one_of, shown

# --- files ------------------------------------------------------------------------------------------------------------


def too_large(most: int) -> str:
    """A file beyond all measure."""
    return f"has more than {most} bytes; give the manifests of the services alone"


def no_text() -> str:
    """Bytes that are no UTF-8."""
    return "is no text in UTF-8; save it as UTF-8"


def no_yaml(why: str) -> str:
    """A file that no parser reads."""
    return f"is no YAML ({why}); mend it, then import again"


def too_deep(most: int) -> str:
    """Nesting without end."""
    return f"is nested more than {most} deep, or contains itself; write out what is meant"


def too_many(most: int) -> str:
    """Aliases without end."""
    return f"unfolds to more than {most} values through its aliases; write out what is meant"


def no_object() -> str:
    """A document that is no object."""
    return "holds something that is no Kubernetes object; take it out"


def incomplete(keys: Sequence[str]) -> str:
    """An object that lacks what names it."""
    return f"holds an object without {all_of(keys)}; add it, or take the object out"


def near_kind(kind: str, group: str, near: str) -> str:
    """A kind that its API group does not have, and almost does."""
    return f"{kind} is no kind of {group or 'the core API'}, and the object is not read; did you mean {near}?"


def unreadable_kind(kind: str, namespace: str, why: str) -> str:
    """A list that the cluster did not give."""
    return f"{kind} objects in namespace {namespace} cannot be read ({why}), so what is taken over may lack them"


# --- mistakes that are read in spite of themselves ----------------------------------------------------------------------


def backticks(value: str) -> str:
    """A value in backticks."""
    return f"the value stands in backticks, which is no YAML; read as {value}"


def rules_as_map() -> str:
    """`rules` of an HTTPRoute as a map."""
    return "is a map, and the API takes a list of rules, so no cluster accepts it; read as a list of this one rule"


def refs_as_map() -> str:
    """`backendRefs` as a map."""
    return "is a map, and the API takes a list of backends; read as a list of this one"


def no_group(pool: str, group: str) -> str:
    """A pool without its group."""
    return (
        f"is missing, so {pool} means a kind InferencePool of the core API, which there is not, and its share of the requests "
        f"gets 500; read as group {group}: the first update mends the route"
    )


def page_versions(alias: str, targets: Sequence[str]) -> str:
    """An InferenceModel with `versions`."""
    return (
        f"is a field that no InferenceModel has, and modelName and poolRef are missing, so no cluster accepts it; read as one "
        f"model name with the targets {all_of(targets)}; the name that clients send is not there: {alias} is assumed"
    )


# --- routes -----------------------------------------------------------------------------------------------------------


def no_service() -> str:
    """Nothing to take over."""
    return (
        "no HTTPRoute here has an InferencePool for a backend, and a service is such a route; give the manifest of the route too"
    )


def no_parents() -> str:
    """A route that attaches to nothing."""
    return "is missing, so nothing sends requests to this route; name the Gateway"


def no_map() -> str:
    """A rule or a backend that is none."""
    return "is no map; mend it, then import again"


def no_list() -> str:
    """Backends that are none."""
    return "is no list of backends; mend it, then import again"


def route_key(key: str) -> str:
    """What a route's spec has, and ours has not."""
    return f"{key} of the route has no place in a stack file, and would be lost; take it out of the route first"


def rule_key(key: str) -> str:
    """What a weighted rule has, and ours has not."""
    hint = "; the time-out of the backends is longestRequest" if key == "timeouts" else ""
    return f"{key} of the rule that splits has no place in a stack file, and would be lost{hint}; take it out of the route first, or move it to a rule of its own"


def ref_key(key: str) -> str:
    """What a weighted backend has, and ours has not."""
    return f"{key} of a weighted backend has no place in a stack file, and would be lost"


def other_backend(what: str) -> str:
    """A backend that is no pool, beside pools."""
    return f"{what} shares the weights with InferencePools, and a service splits between pools only; give it a rule of its own"


def no_weight(value: object) -> str:
    """A weight that is none."""
    return f"{shown(value)} is no weight; a whole number from 0 on is wanted"


def two_groups(groups: Sequence[str]) -> str:
    """v1alpha2 and v1 in one rule."""
    return f"the pools are of two API generations ({all_of(groups)}), and a service has one; finish that migration first, then import"


def listed_twice(pool: str) -> str:
    """A rollout from a pool to itself."""
    return f"InferencePool {pool} is listed more than once, and a rollout is between two; make it one backend, with the sum of its weights"


def many_backends(count: int) -> str:
    """More than two."""
    return f"{count} pools share the traffic, and a rollout has an old and a new version; take it down to two first"


def weights_odd(weights: Sequence[object]) -> str:
    """Weights that are no whole percent."""
    listed = "/".join(map(str, weights))
    return (
        f"the weights {listed} are no whole percent, and a stage is one; set weights that are (as 90 and 10), then import again"
    )


def order_matters(chosen: int) -> str:
    """A rule that would overtake another."""
    return f"asks for the same requests as rule {chosen}, which stands before it and wins; in a stack file further rules come first: take this one out"


def order_turns(chosen: int) -> str:
    """A rule that would overtake another for what both can match."""
    return (
        f"can match what rule {chosen} matches too, and neither is more specific, so rule {chosen}, which stands before it, wins; in a "
        f"stack file further rules come first, and this one would win: give rule {chosen} a match more (a header), or put this rule before it if it may win"
    )


def kept_pool_rule(pools: Sequence[str]) -> str:
    """A further rule that leads to pools."""
    return (
        f"is kept as it is (route.rules), with its way to {all_of(pools)}; to roll that out too, give it an HTTPRoute of its own"
    )


def foreign_writer(manager: str) -> str:
    """A controller that moves weights."""
    return f"{manager} writes this route; two who move its weights undo each other: take the route out of its control, then import again"


def owned(owner: str) -> str:
    """A controller that owns the route."""
    return f"{owner} owns this route and writes it again when it is changed; manage the rollout there, or give clients a route of its own"


def gitops(tool: str) -> str:
    """A GitOps tool that applies the route."""
    return f"{tool} applies this route; take it out of what is applied there, without deleting it, before the first update here"


def not_written(keys: Sequence[str]) -> str:
    """Labels and annotations of a route that the program does not write."""
    return f"{all_of(keys)} is not written by the program: the first update takes it away if kubectl wrote it, and leaves it if another did"


# --- versions ---------------------------------------------------------------------------------------------------------


def pool_unseen(pool: str) -> str:
    """A pool that was not given."""
    return f"InferencePool {pool} is not among what was read"


def pool_missing(pool: str) -> str:
    """A pool that a live cluster does not have."""
    return f"InferencePool {pool} is missing: the route names it, and the cluster has none of that name and group, so its share of the requests fails"


def no_server(labels: str) -> str:
    """A pool whose pods nobody owns here."""
    return f"nothing that was read has pods with its labels ({labels})"


def several_servers(titles: Sequence[str]) -> str:
    """A pool over several workloads."""
    return f"its pods come from {all_of(titles)}, and a version has one Deployment"


def other_workload(title: str) -> str:
    """A pool over a StatefulSet or the like."""
    return f"its pods come from {title}, and a version has a Deployment"


def would_change(title: str, paths: Sequence[str]) -> str:
    """An object that would not come out as it is."""
    restart = ", and its pods would restart" if any(path.startswith("spec.template") for path in paths) else ""
    return f"{title} would change{restart}: {first_of(paths, 4)}"


def not_there(title: str) -> str:
    """A part that was not given."""
    return f"{title} is not among what was read"


def missing(title: str) -> str:
    """A part that a live cluster does not have."""
    return f"{title} is missing: the cluster has none of that name"


def by_helm(title: str, release: str | None) -> str:
    """A picker that a chart made."""
    whose = f"Helm's release {release}" if release else "a chart"
    return f"{title} is made by {whose}, which stays its owner: do not uninstall it while this version has traffic"


def other_scaler(title: str) -> str:
    """An autoscaler that cannot be said."""
    return f"{title} scales by something else than one Pods metric with a whole average"


def second_scaler(title: str, wanted: str) -> str:
    """An autoscaler under another name than ours."""
    return f"{title} would get a second one beside it, {wanted}, and two on one Deployment stop scaling it"


def picker_scaler(title: str, picker: str) -> str:
    """An autoscaler of a picker, which would be set back at every update."""
    return f"{title} scales {picker}, and an endpoint picker here has a fixed number of replicas"


def second_policy(title: str, wanted: str) -> str:
    """A policy under another name than ours."""
    return f"{title} would get a second one beside it, {wanted}, and of two policies of a kind on one pool one has no effect"


def draft_lacks(what: Sequence[str]) -> str:
    """What stands, and what its copy has not."""
    return f"it lacks what stands there besides: {all_of(what)}; add what it needs (podSpec, autoscaling, endpointPicker, …)"


def token_in_clear(variable: str) -> str:
    """A token that stands in a manifest, and goes into no stack file."""
    return f"{variable} holds a token in clear text there, which is not copied: put it in a Secret, and name that (tokenSecret)"


def machine_guessed(machine: str) -> str:
    """The machine type is GKE's, not Kubernetes'."""
    return f"{machine} is a guess (no manifest names the machine type): write the true one; the pods are the same"


# --- adapters ---------------------------------------------------------------------------------------------------------


def adapters_of_others(name: str, pool: str) -> str:
    """An adapter on an external pool."""
    return (
        f"{named(name)} is spread over adapters on pool {pool}, which stays somebody else's, and adapters need a version that this package "
        "builds; it keeps working there, but a version that you move to does not know it: build that version with adapters first"
    )


def name_of_adapter(name: str, version: str, served: Sequence[str]) -> str:
    """A name that clients send, and that is no name of the model."""
    return (
        f"{named(name)} is a name that clients send, and the servers of {version} answer as a model to {all_of(served)} only, so it is an "
        "adapter's; it keeps working there, but a version that you move to does not know it: build that version with adapters first"
    )


def criticality_of_model(name: str) -> str:
    """A criticality of a model name, which only adapters have."""
    return f"ranks requests for {named(name)}, and in a stack file only adapters have a criticality, so what this package builds ranks it as Standard; make it Standard before that, if that will do"


def rewrite_key(key: str) -> str:
    """What a rewrite has, and ours has not."""
    return f"{key} of a rewrite has no place in a stack file, and would be lost; an adapter is asked for by its name alone"


def target_twice(name: str) -> str:
    """Two weights of one target."""
    return f"{named(name)} is listed more than once; make it one target, with the sum of its weights"


def levels_differ(name: str, levels: Sequence[str]) -> str:
    """Two criticalities of one name."""
    return f"the criticality of {named(name)} is {all_of(levels)}, and an adapter has one; make them equal"


def matches_all() -> str:
    """A rule for every model name."""
    return "rewrites every model name, and an adapter has one; name the model"


def alias_name(alias: str, wanted: str) -> str:
    """An object under another name than ours."""
    return f"{named(alias)} would be spread by a second object, {wanted}, and of two the older wins; rename this one to {wanted}"


def no_sources(names: Sequence[str], version: str) -> str:
    """Adapters whose source is not known."""
    return f"where {all_of(names)} come from is not to be seen in the adapter list of {version}; without it a new pod would not have them"


def adapters_unclaimed(names: Sequence[str], version: str) -> str:
    """Adapters in use of which no object was read."""
    return (
        f"the servers of {version} hold {all_of(names)} for requests, and nothing that was read spreads a model name over it, so the first "
        "update would unload it; give the InferenceModelRewrites (v1alpha2: InferenceModels) too"
    )


def splits_differ(name: str) -> str:
    """Two pools that split alike names differently."""
    return f"{named(name)} is split differently on the two pools of the service, and an adapter has one stage; make them equal"


def odd_priority(priority: object, known: Sequence[int]) -> str:
    """A priority without a word."""
    return f"{shown(priority)} is none of the priorities that criticality has ({one_of(known)})"


def objective_left(pool: str) -> str:
    """An objective that belongs to no adapter."""
    return (
        f"ranks requests that name it, and belongs to no adapter; it stays as it is, on pool {pool} alone: make one for the pool of a "
        "version that you move to"
    )


def no_route_to(pool: str) -> str:
    """Weights on a pool that no service has."""
    return f"spreads a model name on pool {named(pool)}, to which no HTTPRoute here leads; give the route too"


# --- the stack --------------------------------------------------------------------------------------------------------


def cluster_missing() -> str:
    """Which cluster it is stands in no manifest."""
    return "which cluster this is stands in no manifest: give --cluster and --location of a GKE cluster, or --context"


def annotation_differs(noted: str) -> str:
    """A split that was edited by hand."""
    return f"the annotation says {noted}, the weights say something else; the weights are taken"


def rollout_planned(to: str) -> str:
    """A rollout at baseline, whose canary does not stand."""
    return f"a rollout to {named(to)} is noted at baseline, where that version does not stand yet, so it cannot be read; write it again by hand"


def invalid(path: str, message: str) -> str:
    """The stack file that would be written is not valid."""
    return f"the stack file would not be valid at {path}: {message}"


def unused_pool() -> str:
    """A pool without a route."""
    return "no HTTPRoute here leads to it, so no service has it; it is left alone"


def gke_by_context() -> str:
    """Policies of GKE in a cluster that is only a context."""
    return (
        "is GKE's, and the cluster is named by a context only, so policies like it are not managed; give --cluster and --location"
    )


def twice() -> str:
    """An object that came a second time."""
    return "comes a second time; the first one is read"


# --- the files --------------------------------------------------------------------------------------------------------


def head(source: str) -> str:
    """First line of the stack file."""
    return f"What exists in {source}, as rollout import has read it."


def not_harmless(op: str, diff: Sequence[str], reasons: Sequence[str]) -> str:
    """The first preview would hurt."""
    why = "; ".join(reasons) or ", ".join(diff[:6])
    return f"the first preview would {'restart its pods' if op == 'update' else op + ' it'}: {why}"


def overwrite(path: str) -> str:
    """Before a file is replaced."""
    return f"{path} stands already; replace it as shown above?"


def first_preview(imported: int, created: int) -> str:
    """Above the operations of the first preview."""
    return f"The first preview after the import ({imported} objects imported, {created} that do not exist yet):"


def verdict(same: int, *, harmless: bool) -> str:
    """Below them."""
    if harmless:
        return f"{same} stay as they are; 0 replaced, 0 deleted, 0 pod templates changed"
    return f"{same} stay as they are; see above what would be replaced, refused or restarted"


def wrote(paths: Sequence[str]) -> str:
    """What was written."""
    return f"{all_of(paths)} written"


def would_write(path: str) -> str:
    """Nothing was asked to be written."""
    return f"Nothing is written without --stack or -o. {path} would be:"


def add_stack() -> str:
    """The step before all others, while nothing is written."""
    return (
        "Add --stack NAME to this command, with a name for the stack: that writes the stack file and the file for pulumi import, "
        "which the next steps read."
    )


def nothing_written(possible: bool) -> str:
    """Something cannot be said."""
    more = "; --partial writes the rest all the same" if possible else ""
    return f"Nothing is written, since the stack file would not say all of it{more}"
