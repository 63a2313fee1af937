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

GONE = object()
"""In place of a raw value that was taken out."""

STAND_INS: Mapping[str, Any] = {"serving": "", "to": "", "stage": "baseline", "versions": {}}
"""What stands in for a broken key without which the whole map could not be read; its path is known as broken."""


def cleaned(value: Any, at: Place, report: Report) -> Any:
    """A raw value without what can stand nowhere: secrets, and nesting without end; both are reported, and gone."""
    if len(at) > MAX_DEPTH:
        report.say(f"is nested more than {MAX_DEPTH} deep; a stack config has about ten levels", *at)
        return GONE
    if isinstance(value, Mapping):
        if set(value) == {"secure"}:
            report.say("holds a secret; keep it in a Kubernetes Secret and name that (server.tokenSecret)", *at)
            return GONE
        items = ((str(key), cleaned(inner, (*at, str(key)), report)) for key, inner in value.items())
        return {key: inner for key, inner in items if inner is not GONE}
    if isinstance(value, list | tuple):
        listed = [cleaned(inner, (*at, i), report) for i, inner in enumerate(value)]
        return GONE if any(item is GONE for item in listed) else listed  # a shorter list would have other indexes
    return value


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
        _say_no_map(model, raw, at, report)
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
            place = (*at, *location)
            path = path_of(*place)
            follows = report.touches(*place) if error["type"] == "missing" else any(within(path, other) for other in known)
            if path not in tried and not follows and said(error):
                report.say(sentences.sentence(error, model), *place, meant=sentences.meant(error, model))
            report.broken.add(path)
            if not _put_aside(rest, location, error["type"], again=path in tried):
                return None
            tried.add(path)


def _say_no_map(model: type[BaseModel], raw: Any, at: Place, report: Report) -> None:
    if report.touches(*at):
        return
    what = "is missing" if len(at) == 1 else "is empty"
    empty = f"{what}; a map is wanted, with the keys {', '.join(sentences.keys_of(model))}"
    report.say(empty if raw is None else sentences.map_wanted(raw, model), *at)


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
