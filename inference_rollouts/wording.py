"""Every sentence that the program says about a rollout, once: what is refused, why, and what to do instead."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from inference_rollouts.stages import Stage

# --- refusals: the ladder ---------------------------------------------------------------------------------------------


def step_skipped(what: str, here: Stage, there: Stage, following: Stage) -> str:
    """A raise by more than one rung."""
    return f"{what}: {here} to {there} skips a rung; a rollout goes up one rung at a time, and the next one is {following}"


def baseline_with_weight(what: str, canary: str, here: Stage, weight: int) -> str:
    """`baseline` from anywhere but `prepare`."""
    return f"{what}: {here} to baseline would delete {canary}, which has {weight} % of the traffic; go to prepare first, then to baseline"


def retire_early(what: str, here: Stage, stable: str, weight: int) -> str:
    """`retire` from anywhere but 100."""
    if weight == 0:
        return (
            f"{what}: {here} to retire is not allowed; retire comes after 100, where {stable} has been at weight 0 for one update"
        )
    return f"{what}: {here} to retire would take {stable} out of the route, which has {weight} % of the traffic; go to 100 first"


def back_from_retire(what: str, there: Stage) -> str:
    """From `retire` to anything but 100."""
    return f"{what}: retire to {there} is not allowed; from retire the only way back is 100, and from there on down"


def not_on_deployed_ladder(what: str, there: Stage, steps: Sequence[int]) -> str:
    """A raise to a stage that the deployed steps do not have."""
    return f"{what}: {there} is not on the deployed ladder (steps {list(steps)}); deploy the new steps in an update of their own, then raise"


def deployed_off_ladder(what: str, here: Stage, steps: Sequence[int]) -> str:
    """A raise from a stage that is on no rung."""
    return f"{what}: the deployed stage {here} is on no rung of {list(steps)}; from there the weight may only fall: go down to a rung or to prepare, then up again"


def together_with_a_raise(what: str, key: str, old: Any, new: Any) -> str:
    """`steps` or `to` changed in the update that raises."""
    return (
        f"{what}: {key} changes from {old} to {new} together with a raise; deploy that change in an update of its own, then raise"
    )


def to_changed(what: str, old: str, new: str, here: Stage) -> str:
    """Another canary while the present one has, or had, weight."""
    return f"{what}: the rollout goes to {old} and stands at {here}; it can go to {new} instead only at baseline or prepare: go to prepare first"


def serving_changed(what: str, old: str, new: str, weight: int) -> str:
    """`serving` changed to what does not carry 100."""
    return f"{what}: serving changes from {old} to {new}, which carries {weight} % of the traffic; it may change only to a version that carries 100: roll out to it"


def serving_during_rollout(what: str, old: str, new: str) -> str:
    """`serving` changed while a rollout stays in the file."""
    return f"{what}: serving changes from {old} to {new} while a rollout is in the file; to finish, take the rollout out in the same update, then start the next one"


def entered_late(what: str, there: Stage) -> str:
    """A rollout that enters the file above `prepare`."""
    return f"{what}: a rollout enters at baseline or prepare, not at {there}; start with stage: prepare"


def left_early(what: str, here: Stage, old: str, canary: str) -> str:
    """A rollout that leaves the file elsewhere than at `baseline` or from `retire`."""
    if here == "retire":
        return f"{what}: from retire a rollout leaves by finish: serving: {canary}; to keep {old}, go back to stage: 100 and down"
    way = (
        f"stage: retire, then serving: {canary}"
        if here == 100
        else "stage: baseline"
        if here == "prepare"
        else "stage: prepare, then baseline"
    )
    return f"{what}: the rollout is taken out of the file at {here}; it leaves at baseline, or by finish from retire: go to {way}, then take it out"


def finished_early(what: str, here: Stage, canary: str) -> str:
    """Finish from anywhere but `retire`."""
    return f"{what}: {canary} takes over at {here}; finish comes after retire: go up the ladder to stage: retire first"


# --- refusals: what would be deleted, replaced or changed under traffic -----------------------------------------------


def removes_weight(what: str, name: str, weight: int) -> str:
    """A version that has weight would no longer stand."""
    return f"{what}: {name} has {weight} % of the traffic and would be removed; nothing that has weight is ever removed"


def weight_to_new(what: str, name: str, weight: int) -> str:
    """A version would be created with weight."""
    return f"{what}: {name} does not stand yet and would get {weight} % of the traffic at once; go to prepare first"


def frozen(service: str, version: str, why: str, changes: Iterable[str]) -> str:
    """A change to what carries traffic."""
    listed = list(changes)
    shown = "; ".join(listed[:3]) + (f"; and {len(listed) - 3} more" if len(listed) > 3 else "")
    return (
        f"service {service}: {version} {why}, and this changes it ({shown}); put the change in a new version "
        f"({version}-new: {{like: {version}, …}}), or say allowInPlaceUpdates: true on it (rolls one pod at a time)"
    )


def frozen_for_good(service: str, version: str, why: str, changes: Iterable[str]) -> str:
    """A change to what carries traffic that no setting allows."""
    return (
        f"service {service}: {version} {why}, and this replaces a part of it ({'; '.join(changes)}); "
        f"put the change in a new version ({version}-new: {{like: {version}, …}})"
    )


def carries(weight: int) -> str:
    """Why a version is frozen: it has weight."""
    return f"carries {weight} % of the traffic"


def will_carry(weight: int) -> str:
    """Why a version is frozen: it gets weight in this update."""
    return f"gets {weight} % of the traffic in this update"


def serves() -> str:
    """Why a version is frozen: it is the one that serves."""
    return "is what serves, or what a rollback needs"


def source_changed(what: str, adapter: str, old: str, new: str) -> str:
    """An adapter version's source edited in place."""
    return f"{what}: adapter version {adapter} changes its source from {old} to {new}; a name means one source for ever: give the new source a version of its own"


def door_changed(service: str, key: str, old: Any, new: Any) -> str:
    """The door changed while something serves through it."""
    return f"service {service}: {key} changes from {old} to {new} while it serves; add a second service with the new {key}, move the clients, then decommission this one"


def adapter_removed(service: str, adapter: str) -> str:
    """An adapter dropped without decommission."""
    return f"service {service}: adapter {adapter} is taken out of the file while clients may ask for it; set decommission: true on it first, and remove it in the update after that"


def decommission_alone(what: str) -> str:
    """Another move together with decommission."""
    return f"{what}: decommission: true allows no other move; leave the stage as it is deployed, and remove it in the update after that"


def unreadable(problem: str) -> str:
    """The guard itself failed; nothing passes that it could not judge."""
    return f"this change could not be judged, so it is refused: {problem}; nothing was changed. Compare the stack file with what is deployed, and report this text"


def protected_delete(kind: str, name: str) -> str:
    """The engine's word on deleting what is protected."""
    return f"{kind} {name} is protected and would be deleted; protection is lifted one update before a thing may go (prepare, retire or decommission: true)"


def protected_replace(kind: str, name: str, fields: Iterable[str]) -> str:
    """The engine's word on replacing what is protected."""
    return f"{kind} {name} is protected and would be replaced ({', '.join(fields)}); put the change in a new version"


def updated_again() -> str:
    """An update without a change."""
    return "it did not become ready in an earlier update: the engine updates and awaits it again"


# --- notes ------------------------------------------------------------------------------------------------------------


def differs_in_size_only(stable: str, canary: str) -> str:
    """A rollout between two versions that differ in nothing but size."""
    return f"{stable} and {canary} differ in nothing but size: this rollout moves traffic between equal versions"


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


# --- kinds ------------------------------------------------------------------------------------------------------------

KIND = {"node": "node rollout", "base-model": "base-model rollout", "adapter": "adapter rollout"}
