"""The edits of a rollout: another stage, a new rollout, a finish. Each is checked by reading the result again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference_rollouts.edit import keys, meaning, words, yaml_text
from inference_rollouts.edit.document import Document, Keys, Pair
from inference_rollouts.edit.meaning import Place
from inference_rollouts.errors import InputError, Problem, path_of
from inference_rollouts.settings import PROJECT
from inference_rollouts.settings.stack_file import StackFile, read
from inference_rollouts.stages import Stage


@dataclass(frozen=True)
class Meant:
    """What an edit is to do.

    Attributes:
        path: what is edited, for messages.
        config: all that the edited file must say.
        by_hand: what to do where it cannot be edited safely.
    """

    path: Keys
    config: Mapping[str, Any]
    by_hand: str


def set_stage(file: StackFile, doc: Document, place: Place, stage: Stage, *, earlier: Iterable[bytes] | None = None) -> Document:
    """A rollout at another stage.

    Args:
        file: as it was read.
        doc: its text.
        place: whose rollout.
        stage: where it goes.
        earlier: texts of the file before this one, newest first, that tell the quotes of a word where a number stands now;
            None for those that Git has.

    Raises:
        InputError: when it cannot be edited safely, or the result has a problem.
    """
    at = (*place.path, "rollout", "stage")
    meant = Meant(at, meaning.with_stage(file.config, place, stage), words.set_by_hand(path_of(*at), stage))
    quotes = None
    if isinstance(stage, str) and keys.is_number(doc.pair(at).value):
        from inference_rollouts.edit import stage_quotes  # Git is asked where it is needed only

        quotes = stage_quotes.found(doc, place, earlier)
    edited = keys.set_scalar(doc, at, stage, quotes=quotes)
    return checked(doc, edited, meant)


def add_rollout(file: StackFile, doc: Document, place: Place, to: str, steps: Sequence[int]) -> Document:
    """A new rollout, at `prepare`.

    Raises:
        InputError: when it cannot be edited safely, or the result has a problem.
    """
    at = (*place.path, "rollout")
    rollout = {"to": to, "steps": list(steps), "stage": "prepare"}
    by_hand = words.add_by_hand(path_of(*at), yaml_text.flow(rollout, spaced=True))
    meant = Meant(at, meaning.with_rollout(file.config, place, rollout), by_hand)
    return checked(doc, keys.add(doc, at, rollout), meant)


def finish(file: StackFile, doc: Document, place: Place) -> Document:
    """The canary serves; the rollout and the old version leave the file.

    Raises:
        InputError: when it cannot be edited safely, or the result has a problem.
    """
    block = place.block(file.config)
    stable, canary = block["serving"], block["rollout"]["to"]
    by_hand = words.finish_by_hand(path_of(*place.path), stable, canary)
    meant = Meant(place.path, meaning.finished(file.config, place), by_hand)
    _alone(doc, (*place.path, "versions", stable))
    edited = _written_out(file, doc, place, stable) if place.adapter is None else _without_sources(file, doc, place, stable)
    edited = keys.set_scalar(edited, (*place.path, "serving"), canary)
    edited = keys.remove(edited, (*place.path, "rollout"))
    edited = keys.remove(edited, (*place.path, "versions", stable))
    return checked(doc, edited, meant)


# --- what a finish takes along ----------------------------------------------------------------------------------------


def _alone(doc: Document, at: Keys) -> None:
    """Nothing elsewhere names an anchor in what goes.

    Raises:
        InputError: when something does.
    """
    pair = doc.pair(at)
    for node, aliases in doc.shared():
        lines = [doc.line(alias.start) for alias in aliases if not pair.start <= alias.start < pair.end]
        if pair.start <= node.start < pair.end and lines:
            raise doc.refused(at, words.anchor_goes(str(node.anchor), doc.line(node.start), lines))


def _written_out(file: StackFile, doc: Document, place: Place, base: str) -> Document:
    """Every version that is like the one that goes, with what it takes from it."""
    versions = meaning.service_of(file.config, place.service)["versions"]
    for name in meaning.heirs(file.config, place.service, base):
        wanted = meaning.standing_alone(file.config, place.service, name)
        at = (*place.path, "versions")
        doc = _completed(doc, (*at, name), versions[name], wanted, Inherited((*at, base), versions[base]))
    return doc


@dataclass(frozen=True)
class Inherited:
    """The map that another one takes keys from: where it stands, and what stands there."""

    at: Keys
    own: Any

    def below(self, key: str) -> Inherited:
        """The value of one of its keys."""
        return Inherited((*self.at, key), self.own.get(key) if isinstance(self.own, Mapping) else None)

    def text_of(self, doc: Document, value: Any) -> Pair | None:
        """Where the text of a value stands; None where the value is pieced together from several places."""
        try:
            return doc.pair(self.at) if self.own == value else None
        except InputError:
            return None


def _completed(doc: Document, at: Keys, own: Mapping[str, Any], wanted: Mapping[str, Any], base: Inherited) -> Document:
    """A map with what it lacks, and without what only `like` gave a meaning to: itself, and nulls that remove."""
    for key, value in wanted.items():
        inherited = base.below(key)
        if key not in own:
            doc = keys.add(doc, (*at, key), value, inherited.text_of(doc, value))
        elif isinstance(value, Mapping) and isinstance(own[key], Mapping) and value != own[key]:
            doc = _completed(doc, (*at, key), own[key], value, inherited)
    for key in own:
        if key not in wanted:
            doc = keys.remove(doc, (*at, key))
    return doc


def _without_sources(file: StackFile, doc: Document, place: Place, old: str) -> Document:
    """A version's own source for the adapter version that goes, goes with it."""
    for name in meaning.with_source(file.config, place):
        at = ("services", place.service, "versions", name, "adapters")
        only = len(meaning.service_of(file.config, place.service)["versions"][name]["adapters"]) == 1
        doc = keys.remove(doc, at if only else (*at, old))
    return doc


# --- reading the result again -----------------------------------------------------------------------------------------


def checked(before: Document, edited: Document, meant: Meant) -> Document:
    """The edited document, when it says what was meant and nothing else.

    Raises:
        InputError: when it does not; or when what it says has a problem.
    """
    try:
        found = parsed(edited.path, edited.data)
    except InputError as e:
        raise before.refused(meant.path, words.unreadable_after(e.problems[0].message, meant.by_hand)) from None
    paths = [path.removeprefix(f"{PROJECT}:") for path in meaning.differences(dict(meant.config), found.config)]
    if paths or _elsewhere(before) != _elsewhere(edited):
        why = _because(before, edited)
        raise before.refused(meant.path, words.does_more(paths or ["outside config"], why, meant.by_hand))
    found.settings()
    return edited


def _because(before: Document, edited: Document) -> str:
    """Which anchor the edit has reached through."""
    for node, aliases in before.shared():
        text = before.text[node.start : node.end]
        if text not in edited.text or f"&{node.anchor}" not in edited.text:
            lines = sorted({before.line(alias.start) for alias in aliases})
            return words.anchor_shared(str(node.anchor), before.line(node.start), lines)
    return ""


def _elsewhere(doc: Document) -> list[str]:
    """The text of the top-level keys beside `config`."""
    return [doc.text[key.start : value.end] for key, value in doc.root.pairs if key.text != "config"]


def parsed(path: Path, data: bytes) -> StackFile:
    """The stack file that these bytes would be, under the path's name.

    Raises:
        InputError: when they cannot be read as one.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            held = Path(folder) / path.name
            held.write_bytes(data)
            found = read(held)
    except InputError as e:
        raise InputError(Problem(p.path, p.message, str(path), p.line) for p in e.problems) from None
    except OSError as e:
        raise InputError([Problem("", words.not_checked(e.strerror or str(e)), str(path))]) from None
    found.path = path
    return found
