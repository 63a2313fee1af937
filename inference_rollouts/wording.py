"""Every sentence that the program says about a rollout, once: what is refused, why, and what to do instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from inference_rollouts.stages import Stage

# --- refusals: the ladder ---------------------------------------------------------------------------------------------


def step_skipped(what: str, here: Stage, there: Stage, following: Stage) -> str:
    """A raise by more than one rung."""
    return f"{what}: {here} to {there} skips a rung; a rollout goes up one rung at a time, and the next one is {following}"


def baseline_with_weight(what: str, canary: str, here: Stage, weight: int) -> str:
    """`baseline` from anywhere but `prepare`."""
    return f"{what}: {here} to baseline would delete {canary}, which has {weight} % of the traffic; set stage: prepare first, then baseline"


def retire_early(what: str, here: Stage, stable: str, weight: int) -> str:
    """`retire` from anywhere but 100."""
    return f"{what}: {here} to retire would take {stable} out of the route, which has {weight} % of the traffic; go up to stage: 100 first"


def back_from_retire(what: str, there: Stage) -> str:
    """From `retire` to anything but 100."""
    return f"{what}: retire to {there} is not allowed, since the old version has no backend at retire; set stage: 100 first, and go down from there"


def not_on_deployed_ladder(what: str, here: Stage, there: Stage, steps: Sequence[int]) -> str:
    """A raise to a stage that the deployed steps do not have."""
    return f"{what}: {here} to {there} is not on the deployed ladder (steps {list(steps)}), on which a raise is judged; deploy the new steps at stage: {here}, then raise"


def deployed_off_ladder(what: str, here: Stage, steps: Sequence[int]) -> str:
    """A raise from a stage that is on no rung."""
    return f"{what}: the deployed stage {here} is on no rung of the deployed steps {list(steps)}, so its weight may only fall; go down to a rung or to prepare, then up again"


def override_spent() -> str:
    """Ends a refusal where the file holds an override that was deployed before."""
    return " (the override in the file is spent: it counts in the update that brings it, and in no later one)"


def override_elsewhere(origin: Stage, to: Stage) -> str:
    """Ends a refusal where the file holds an override for another move."""
    return f" (the override in the file allows {origin} to {to}, and no other move)"


def together_with_a_raise(what: str, key: str, old: Any, new: Any, here: Stage) -> str:
    """`steps` or `to` changed in the update that raises."""
    return f"{what}: {key} is changed from {old} to {new} together with a raise, which is judged on what is deployed; deploy that change in an update of its own, at stage: {here}, then raise"


def to_changed(what: str, old: str, new: str, here: Stage) -> str:
    """Another canary while the present one has, or had, weight."""
    way = "stage: 100, then to prepare" if here == "retire" else "stage: prepare"
    return f"{what}: rollout.to is changed from {old} to {new} at {here}, where {old} has traffic, and it may change only at baseline or prepare; first go down to {way}"


def serving_changed(what: str, old: str, new: str, weight: int) -> str:
    """`serving` changed to what does not carry 100."""
    return (
        f"{what}: serving is changed from {old} to {new}, which carries {weight} % of the traffic, and it may change only to a version "
        f"that carries 100; leave serving: {old} and move the traffic by a rollout with to: {new}"
    )


def serving_during_rollout(what: str, old: str, new: str, canary: str, here: Stage) -> str:
    """`serving` changed while a rollout stays in the file."""
    if (here, new) == ("retire", canary):
        way = "take the rollout out in this update, and start the next one in the update after that"
    else:
        way = f"leave serving: {old} until the finish, which after retire sets serving: {canary} and takes the rollout out in one update"
    return f"{what}: serving is changed from {old} to {new} while a rollout stays in the file, where stage alone moves traffic; {way}"


def entered_late(what: str, there: Stage) -> str:
    """A rollout that enters the file above `prepare`."""
    return f"{what}: a rollout enters the file at baseline or prepare, not at {there}, since nothing gets traffic in the update that creates it; start with stage: prepare"


def left_early(what: str, here: Stage, stable: str, canary: str) -> str:
    """A rollout that leaves the file elsewhere than at `baseline` or from `retire`."""
    if here == "retire":
        return (
            f"{what}: the rollout is taken out of the file at retire, where {canary} has all the traffic, but serving stays {stable}; "
            f"to finish, set serving: {canary} in the same update; to keep {stable}, go back to stage: 100 and down"
        )
    way = "stage: baseline" if here == "prepare" else "stage: prepare, then to baseline"
    return (
        f"{what}: the rollout is taken out of the file at {here}, where {canary} still stands; it leaves the file at baseline, or by "
        f"the finish after retire: first go down to {way}"
    )


def finished_early(what: str, here: Stage, canary: str, weight: int) -> str:
    """Finish from anywhere but `retire`."""
    return f"{what}: serving is changed to {canary} at {here}, where it carries {weight} % of the traffic, and the finish comes after retire only; go up the ladder to stage: retire first"


def wrong_weights(what: str, stage: Stage, weights: Mapping[str, int]) -> str:
    """Weights that do not follow from the stage: no stack file can say that, only another program."""
    given = ", ".join(f"{name} {weight} %" for name, weight in sorted(weights.items())) or "none"
    return f"{what}: the weights ({given}) are not those of stage {stage}, so what they would do cannot be judged; make them by the plan of a stack file"


# --- refusals: what would be deleted, replaced or changed under traffic -----------------------------------------------


def removes_weight(what: str, name: str, weight: int, way: Stage) -> str:
    """A version that has weight would no longer stand."""
    return f"{what}: {name} has {weight} % of the traffic and would be removed, which no override allows; go to stage: {way} first, where it has none"


def weight_to_new(what: str, name: str, weight: int) -> str:
    """A version would be created with weight."""
    return f"{what}: {name} does not stand yet and would get {weight} % of the traffic at once, which no override allows; go to stage: prepare first"


def frozen(service: str, version: str, why: str, changes: Sequence[str], *, canary: bool, for_good: bool) -> str:
    """A change to what carries traffic, or to what a rollback needs.

    Args:
        service: its service.
        version: the version that is changed.
        why: `carries`, `will_carry` or `stands_for_a_rollback`.
        changes: each as `path: old → new`.
        canary: whether it is the version that is moved to: it may change while it has no weight.
        for_good: whether something is replaced or removed, which no setting allows.
    """
    shown = _some(changes)
    verb = "replaces or removes a part of it" if for_good else "changes it"
    alone = "deploy the change at stage: prepare, in an update of its own, or " if canary else ""
    setting = (
        ", or say allowInPlaceUpdates: true on it (rolls one pod at a time; the only way for keys of the service, as models)"
    )
    return (
        f"service {service}: {version} {why}, and this {verb} ({shown}); {alone}put the change in a new version "
        f"({version}-new: {{like: {version}, …}}){'' if for_good else setting}"
    )


def frozen_picker(service: str, version: str, why: str, changes: Sequence[str]) -> str:
    """A change to an endpoint picker whose pool fails closed."""
    return (
        f"service {service}: {version} {why}, and this changes its endpoint picker ({_some(changes)}), all of whose replicas stop at once, while "
        "its pool fails closed; set endpointPicker.failureMode: FailOpen in an update of its own, change the picker in the one after "
        f"that, and then let it fail closed again; or put the change in a new version ({version}-new: {{like: {version}, …}})"
    )


def handed_to_an_autoscaler(service: str, version: str, why: str) -> str:
    """`autoscaling` for `replicas` under traffic: a field that no manager owns any more falls back to its default, 1."""
    return (
        f"service {service}: {version} {why}, and this leaves its replicas to an autoscaler: Kubernetes sets them to 1 when the program "
        f"gives the field up, and only then does the autoscaler act; put autoscaling in a new version ({version}-new: {{like: {version}, …}}), "
        "or let another field manager own spec.replicas of the Deployment first (kubectl apply --server-side --field-manager "
        "handover-to-hpa, of a manifest with nothing else) and say allowInPlaceUpdates: true on it"
    )


def _some(changes: Sequence[str]) -> str:
    return "; ".join(changes[:3]) + (f"; and {len(changes) - 3} more" if len(changes) > 3 else "")


def carries(weight: int) -> str:
    """Why a version is frozen: it has weight."""
    return f"carries {weight} % of the traffic"


def will_carry(weight: int) -> str:
    """Why a version is frozen: it gets weight in this update."""
    return f"gets {weight} % of the traffic in this update"


def stands_for_a_rollback() -> str:
    """Why a version is frozen without weight: it is still what serves until the finish."""
    return "is what a rollback needs"


def source_changed(what: str, adapter: str, old: str, new: str, idle: str | None) -> str:
    """An adapter version's source edited in place.

    Args:
        what: its service.
        adapter: the adapter version.
        old, new: sources.
        idle: the version of the service that holds it, if that one has no traffic.
    """
    again = f", or take {idle} down to stage: baseline, and change it there" if idle else ""
    return (
        f"{what}: adapter version {adapter} changes its source from {old} to {new}, and its name means one source for ever; "
        f"give the new source a version of its own{again}"
    )


def door_changed(service: str, changes: Iterable[str]) -> str:
    """The door changed while something serves through it; each change as `key: old → new`."""
    return (
        f"service {service}: the way in is changed while clients use it ({'; '.join(changes)}); "
        "add a second service with the new values, move the clients, then decommission this one"
    )


def gateway_changed(service: str, changes: Iterable[str]) -> str:
    """The Gateway that the stack creates changed while something serves behind it; each change as `key: old → new`."""
    return (
        f"service {service}: the Gateway that clients come through is changed while they use it ({'; '.join(changes)}); create another "
        "one by a stack of its own, with a service behind it, move the clients, then decommission this one (a listener more is allowed)"
    )


def adapter_removed(service: str, adapter: str) -> str:
    """An adapter dropped without decommission."""
    return f"service {service}: adapter {adapter} is taken out of the file while clients may ask for it; set decommission: true on it first, and remove it in the update after that"


def decommission_alone(what: str, here: Stage) -> str:
    """Another move together with decommission."""
    return (
        f"{what}: decommission: true allows no other move with it; leave the rollout as it is deployed, at {here}, and remove what "
        "is decommissioned in the update after that"
    )


def unreadable(problem: str) -> str:
    """The guard itself failed; nothing passes that it could not judge."""
    return (
        f"this change could not be judged, so it is refused and nothing was changed: {problem}; compare the stack file with what is "
        "deployed (pulumi stack export), and report this text"
    )


def protected_delete(kind: str, name: str) -> str:
    """The engine's word on deleting what is protected."""
    if kind == "Gateway":
        return (
            f"Gateway {name} is protected and would be deleted, and all that clients reach goes through it; keep gateway.create, or take it "
            "out of the stack's hands and let it stand: pulumi state unprotect, then pulumi state delete, of its URN"
        )
    return (
        f"{kind} {name} is protected and would be deleted, and protection is lifted one update before a thing may go; "
        "keep it in the file, and go to prepare, to retire, or set decommission: true first"
    )


def protected_replace(kind: str, name: str, fields: Iterable[str]) -> str:
    """The engine's word on replacing what is protected."""
    return f"{kind} {name} is protected and would be replaced ({', '.join(fields)}); put the change in a new version"


# --- refusals: limits of a raise --------------------------------------------------------------------------------------


def frozen_window(what: str, window: str, reason: str) -> str:
    """A raise inside a freeze window."""
    return f"{what}: no weight is raised from {window} ({reason}); wait for its end, or change freeze in an update of its own (falling is allowed)"


def too_small(what: str, name: str, why: str, needed: int) -> str:
    """A version that could not carry its weight."""
    return f"{what}: {name} would get {why}; give it {needed} replicas in an update of its own, then raise"


def shrunk(what: str, name: str, why: str, replicas: tuple[int, int], needed: int) -> str:
    """A version with fewer pods than it needs."""
    before, after = replicas
    return (
        f"{what}: {name} goes from {before} replicas to {after}, and it needs {needed} for {why}, which it carries or a rollback gives back "
        f"to it; keep at least {needed} (with an autoscaler: its max), or change peak or server.capacity in an update of its own first"
    )


def capacity_unchecked(names: Sequence[str]) -> str:
    """Without figures there is no check."""
    return f"capacity: not checked, since server.capacity is not given for {' and '.join(names)}"


# --- live checks ------------------------------------------------------------------------------------------------------


def not_ready(what: str, finding: str, *, retires: bool = False) -> str:
    """A live check that failed, or that could not be answered, before a raise or before `retire`."""
    held = "stable is not retired" if retires else "the weight is not raised"
    return f"{what}: {held}: {finding} (run up again when that is mended; a fall to stage: prepare asks nothing)"


def will_be_asked(what: str, checks: Sequence[str], *, retires: bool = False) -> str:
    """In a preview: what `up` will ask before it raises, or retires."""
    when = "stable is retired" if retires else "the weight rises"
    return f"{what}: before {when}, pulumi up asks the cluster: {', '.join(checks)}"


# --- notes ------------------------------------------------------------------------------------------------------------


def updated_again() -> str:
    """An update without a change."""
    return "it did not become ready in an earlier update: the engine updates and awaits it again"


def differs_in_size_only(stable: str, canary: str) -> str:
    """A rollout between two versions that differ in nothing but size."""
    return f"{stable} and {canary} differ in nothing but size: this rollout moves traffic between equal versions"


def short_lived_canary(canary: str, why: str) -> str:
    """A canary on nodes that do not stay."""
    return (
        f"{canary} is on {why}: it may carry traffic as a canary, but not serve, so retire and finish are refused; end the trial at "
        f"prepare, and roll out a version on other nodes ({canary}-new: {{like: {canary}, nodes: {{…}}}})"
    )


def short_lived_stable(stable: str, canary: str, why: str) -> str:
    """A version that serves on such nodes, and is being left."""
    return f"{stable} serves on {why}, until the rollout to {canary} has left it"


def policy_lacking(canary: str, keys: str) -> str:
    """A canary that may not get traffic yet, since its pool has not the policy of the service."""
    return (
        f"{canary}: its pool gets nothing of the service's backendPolicy ({keys}), since somebody else owns it; before it gets "
        "traffic its owner has to attach the same, and external: {…, backendPolicy: own} has to say so"
    )


def decommissioned(what: str) -> str:
    """Protection is lifted."""
    return f"{what}: decommission: true lifts its protection; the update that removes it from the file deletes it"


def objective_header(adapter: str, criticality: str, header: str, objects: Sequence[str]) -> str:
    """How criticality acts."""
    return f"adapter {adapter}: {criticality} acts for requests with the header {header}: {' or '.join(objects)}"


def no_shutdown_timeout(version: str, image: str) -> str:
    """The image's version does not say whether it knows --shutdown-timeout."""
    return (
        f"{version}: {image} is not known to take --shutdown-timeout (vLLM 0.18.0 or later), so it is not rendered: running requests "
        "may be cut when a pod stops; add it to server.args if the image knows it"
    )


# --- figures ----------------------------------------------------------------------------------------------------------


def duration(seconds: float) -> str:
    """As an operator reads it, rounded up to a second.

    >>> duration(250.2)
    '4m11s'
    """
    whole = -int(-seconds // 1)
    parts = [(whole // 3600, "h"), (whole % 3600 // 60, "m"), (whole % 60, "s")]
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"


# --- kinds ------------------------------------------------------------------------------------------------------------

KIND = {"node": "node rollout", "base-model": "base-model rollout", "adapter": "adapter rollout"}
