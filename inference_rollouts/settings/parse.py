"""One raw map to one model: a broken leaf is reported and put aside, and the rest is still read.

So one round shows all there is to mend, and what is broken hides nothing else.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from inference_rollouts.errors import path_of
from inference_rollouts.settings import sentences
from inference_rollouts.settings.report import MAX_DEPTH, Place, Report, within

M = TypeVar("M", bound=BaseModel)

STAND_INS: Mapping[str, Any] = {"serving": "", "to": "", "stage": "baseline", "versions": {}}
"""What stands in for a broken key without which the whole map could not be read; its path is known as broken."""


def cleaned(value: Any, at: Place, report: Report, *, nulls: bool = False) -> Any:
    """A raw value without what can stand nowhere: secrets, and keys without a value.

    Args:
        value: raw.
        at: its place.
        report: gets the problems.
        nulls: whether null in a map means something here (in a version, it removes what `like` brings).
    """
    if len(at) > MAX_DEPTH:
        report.say(f"is nested more than {MAX_DEPTH} deep; a stack config has about ten levels", *at)
        return None
    if isinstance(value, Mapping):
        if set(value) == {"secure"}:
            report.say("holds a secret; keep it in a Kubernetes Secret and name that (server.tokenSecret)", *at)
            return None
        items = {str(key): inner for key, inner in value.items()}
        whole = {key: _cleaned_item(inner, (*at, key), report, nulls=nulls) for key, inner in items.items()}
        return {key: inner for key, inner in whole.items() if inner is not None or (nulls and items[key] is None)}
    if isinstance(value, list | tuple):
        listed = [_cleaned_item(inner, (*at, i), report) for i, inner in enumerate(value)]
        return None if None in listed else listed  # a shorter list would have other indexes
    return value


def _cleaned_item(value: Any, at: Place, report: Report, *, nulls: bool = False) -> Any:
    if value is None and not nulls:
        report.say("is empty; give it a value, or take it out", *at)
    if len(at) == 4 and (at[0], at[2]) == ("services", "versions"):
        nulls = isinstance(value, Mapping) and isinstance(value.get("like"), str)
    return cleaned(value, at, report, nulls=nulls)


def parsed(
    model: type[M], raw: Any, at: Place, report: Report, *, said: Callable[[ErrorDetails], bool] = lambda _: True
) -> M | None:
    """A model from a raw value; None where nothing can be kept.

    Args:
        model: the model.
        raw: what is written, cleaned.
        at: its place.
        report: gets the problems.
        said: whether an error is a problem at all.
    """
    if not isinstance(raw, Mapping):
        if raw is None and not report.touches(*at):
            report.say(f"is missing; a map is wanted, with the keys {', '.join(sentences.keys_of(model))}", *at)
        elif raw is not None:
            report.say(sentences.map_wanted(raw, model), *at)
        return None
    rest: dict[str, Any] = copy.deepcopy(dict(raw))
    tried: set[str] = set()
    known = frozenset(report.broken)
    while True:
        try:
            return model.model_validate(rest)
        except ValidationError as e:
            errors = sorted(e.errors(include_url=False), key=lambda error: error["type"] == "missing")
        for error in errors:
            location = [part for part in error["loc"] if part != "[key]"]
            path = path_of(*at, *location)
            follows = report.touches(*at, *location) if error["type"] == "missing" else any(within(path, b) for b in known)
            if path not in tried and not follows and said(error):
                report.say(sentences.sentence(error, model), *at, *location, meant=sentences.meant(error, model))
            report.broken.add(path)
            if not _put_aside(rest, location, error["type"], again=path in tried):
                return None
            tried.add(path)


def _put_aside(raw: dict[str, Any], location: list[str | int], kind: str, *, again: bool) -> bool:
    """Take what is broken out; False where that is all there is."""
    if not again and location and (stand_in := STAND_INS.get(str(location[-1]))) is not None:
        return _take_out(raw, location, copy.copy(stand_in))
    return _take_out(raw, location[:-1] if kind == "missing" else location)


def _take_out(raw: dict[str, Any], location: list[str | int], stand_in: Any = None) -> bool:
    """Take a leaf out, or put something in its place; in a list the whole list goes, so that indexes stay true."""
    inside: Any = raw
    for i, part in enumerate(location):
        last = i + 1 == len(location)
        if last and stand_in is not None:
            inside[part] = stand_in
        elif last or isinstance(location[i + 1], int) or not isinstance(inside.get(part), dict):
            inside.pop(part, None)
        else:
            inside = inside[part]
            continue
        break
    return bool(location)
