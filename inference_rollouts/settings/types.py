"""Named types of settings: what may be written in one place, its sentence when it may not, and its JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import PydanticCustomError, core_schema

from inference_rollouts.errors import allowed, shown
from inference_rollouts.stages import NAMED, Stage

MANY = 100_000
"""More than any number here can sensibly be; beyond it the APIs' own integers end somewhere."""

LABEL = r"^[a-z]([a-z0-9-]*[a-z0-9])?$"
DNS_LABEL = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
OBJECT_NAME = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"
LOCATION = r"^[a-z]+-[a-z]+[0-9]+(-[a-z0-9]+)?$"
HOSTNAME = r"^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$"
MODEL_NAME = r"^[^\s-]\S*$"
SOURCE = r"^(gs://[a-z0-9][a-z0-9._-]+/\S+|hf://[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+@[A-Za-z0-9_./-]+|/\S+)$"
DURATION = r"^[0-9]{1,6}[smh]$"
HEADER = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}$"


def wrong(text: str) -> PydanticCustomError:
    """A problem in our own words."""
    return PydanticCustomError("sentence", "{text}", {"text": text})


def _text(value: str) -> str:
    if not value.strip():
        raise wrong(f"{shown(value)} says nothing; write something, or take it out")
    if not value.isprintable():
        raise wrong(f"{shown(value)} holds characters that do not print; take them out")
    return value


def label_problem(value: str) -> str | None:
    """What is wrong with a name of a service, a version or a node pool."""
    if not re.fullmatch(LABEL, value):
        return f"{shown(value)} is no DNS label: a-z, 0-9 and -, beginning with a letter, not ending in -"
    return f"{shown(value)} has {len(value)} characters; at most 40 fit a GKE node pool" if len(value) > 40 else None


def _label(value: str) -> str:
    if problem := label_problem(value):
        raise wrong(problem)
    return value


def _dns_label(value: str) -> str:
    if len(value) > 63 or not re.fullmatch(DNS_LABEL, value):
        raise wrong(f"{shown(value)} is no DNS label: a-z, 0-9 and -, at most 63 characters, not ending in -")
    return value


def _service_name(value: str) -> str:
    if len(value) > 63 or not re.fullmatch(LABEL, value):
        raise wrong(f"{shown(value)} is no name of a Service: a-z, 0-9 and -, beginning with a letter, at most 63 characters")
    return value


def _object_name(value: str) -> str:
    if len(value) > 253 or not re.fullmatch(OBJECT_NAME, value):
        raise wrong(f"{shown(value)} is no Kubernetes object name: a-z, 0-9, - and ., at most 253 characters")
    return value


def _location(value: str) -> str:
    if not re.fullmatch(LOCATION, value):
        raise wrong(f"{shown(value)} is no region or zone of Google Cloud, as us-central1 or us-central1-a")
    return value


def _hostname(value: str) -> str:
    if len(value) > 253 or not re.fullmatch(HOSTNAME, value):
        raise wrong(f"{shown(value)} is no hostname: lower-case labels with dots, as chat.example.com or *.example.com")
    return value


def _model_name(value: str) -> str:
    if len(value) > 253 or not value.isprintable() or not re.fullmatch(MODEL_NAME, value):
        raise wrong(f"{shown(value)} is no model name: 1 to 253 characters without spaces, not beginning with -")
    return value


def _source(value: str) -> str:
    if value.isprintable() and re.fullmatch(SOURCE, value):
        return value
    if value.startswith("hf://") and "@" not in value:
        raise wrong(f"{shown(value)} names no revision: hf://OWNER/NAME@REVISION, so that it means one thing for ever")
    raise wrong(f"{shown(value)} is no adapter source: gs://BUCKET/PATH, hf://OWNER/NAME@REVISION or /PATH in the image")


def _header(value: str) -> str:
    if not re.fullmatch(HEADER, value):
        raise wrong(f"{shown(value)} is no name of a request header: letters, digits and -, as x-canary")
    return value


def _seconds(value: Any) -> int:
    found = re.fullmatch(r"([0-9]{1,6})(s|m|h)", value) if isinstance(value, str) else None
    if not found or not found[0].isascii():
        raise wrong(f"{shown(value)} is no duration: write a whole number and s, m or h, as 300s or 5m")
    return int(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]


def _longest_request(seconds: int) -> int:
    if not 1 <= seconds <= 3600:
        raise wrong(f"{seconds} seconds do not fit: 1s to 1h, the longest draining that GCPBackendPolicy takes")
    return seconds


def _load_timeout(seconds: int) -> int:
    if not 1 <= seconds <= 86_400:
        raise wrong(f"{seconds} seconds do not fit: 1s to 24h")
    return seconds


def percent_sign(value: Any) -> str | None:
    """The number in a text like `10%`; None for anything else."""
    found = re.fullmatch(r"\s*([0-9]{1,3})\s*%\s*", value, re.ASCII) if isinstance(value, str) else None
    return found[1] if found else None


def _stage(value: Any) -> Stage:
    if value in NAMED or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 100):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit():
        raise wrong(f"{shown(value)} is text, and a weight is a number: take the quotes off, {value}")
    if number := percent_sign(value):
        raise wrong(f"{shown(value)} is text, and a weight is a number, in percent already: leave the % off, {number}")
    if value == 0:
        raise wrong("0 is no stage; the stage at which the new version stands with weight 0 is prepare")
    words = ("baseline", "prepare", "a weight from steps", "retire")
    raise wrong(f"{shown(value)} is no stage{allowed(str(value), words)}")


def _steps(value: tuple[int, ...]) -> tuple[int, ...]:
    given = f"[{', '.join(map(str, value[:20]))}{', …' if len(value) > 20 else ''}]"
    for step in value:
        if not 1 <= step <= 100:
            raise wrong(f"{given} holds {step}: a step is a weight in percent, 1 to 100")
    if any(a >= b for a, b in pairwise(value)):
        raise wrong(f"{given} does not rise: each step is larger than the one before")
    if not value:
        raise wrong("[] has no step: write weights that rise to 100, as [1, 10, 50, 100]")
    if value[-1] != 100:
        raise wrong(f"{given} does not end in 100: the last step gives the new version all the traffic")
    return value


def _quantity(value: Any) -> str | int | float:
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?", value):
        return value
    raise wrong(f"{shown(value)} is no quantity: a number, with a unit where it needs one, as 4, 500m or 16Gi")


def _pod_spec(value: dict[str, Any]) -> dict[str, Any]:
    """Lists of named items merge by name, so a name must be one; a container without a name would replace ours."""
    for key in ("containers", "initContainers", "volumes"):
        items = value.get(key, [])
        if not isinstance(items, list | tuple) or not all(isinstance(item, Mapping) and "name" in item for item in items):
            raise wrong(f"{key} is no list of items with a name; they merge by name with those of this package")
    if unnamed := next(_unnamed(value), None):
        raise wrong(f"holds an item whose name is {shown(unnamed[0])}; a name is text")
    return value


def _unnamed(value: Any) -> Any:
    """The names of list items, at any depth, that are no text; each in a tuple, since it may be anything."""
    if isinstance(value, list | tuple):
        for item in value:
            if isinstance(item, Mapping) and not isinstance(item.get("name", ""), str):
                yield (item["name"],)
            yield from _unnamed(item)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _unnamed(inner)


@dataclass(frozen=True)
class Written:
    """A map that is checked as a model, and kept as it is written: for what goes to an API as it is."""

    model: type[BaseModel]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(
            _as_written, handler(self.model), serialization=core_schema.plain_serializer_function_ser_schema(dict)
        )


def _as_written(checked: BaseModel) -> dict[str, Any]:
    return checked.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)


def _string(**limits: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", **limits})


Text = Annotated[str, AfterValidator(_text), _string(minLength=1)]
Label = Annotated[str, AfterValidator(_label), _string(pattern=LABEL, maxLength=40)]
LabelKey = Annotated[str, _string(pattern=LABEL, maxLength=40)]
"""A key that should be a Label; judged apart, so that what stands under a bad name is still read."""
DnsLabel = Annotated[str, AfterValidator(_dns_label), _string(pattern=DNS_LABEL, maxLength=63)]
ServiceName = Annotated[str, AfterValidator(_service_name), _string(pattern=LABEL, maxLength=63)]
ObjectName = Annotated[str, AfterValidator(_object_name), _string(pattern=OBJECT_NAME, maxLength=253)]
Location = Annotated[str, AfterValidator(_location), _string(pattern=LOCATION)]
Hostname = Annotated[str, AfterValidator(_hostname), _string(pattern=HOSTNAME, maxLength=253)]
ModelName = Annotated[str, AfterValidator(_model_name), _string(pattern=MODEL_NAME, maxLength=253)]
Source = Annotated[str, AfterValidator(_source), _string(pattern=SOURCE)]
Header = Annotated[str, AfterValidator(_header), _string(pattern=HEADER)]
LongestRequest = Annotated[int, BeforeValidator(_seconds), AfterValidator(_longest_request), _string(pattern=DURATION)]
LoadTimeout = Annotated[int, BeforeValidator(_seconds), AfterValidator(_load_timeout), _string(pattern=DURATION)]
Count = Annotated[int, Field(ge=1, le=MANY)]
CountOrNone = Annotated[int, Field(ge=0, le=MANY)]
StageValue = Annotated[
    Any,
    BeforeValidator(_stage),
    WithJsonSchema({"anyOf": [{"enum": list(NAMED)}, {"type": "integer", "minimum": 1, "maximum": 100}]}),
]
Steps = Annotated[
    tuple[int, ...],
    Field(strict=False),
    AfterValidator(_steps),
    WithJsonSchema({"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 1, "maximum": 100}}),
]
Quantity = Annotated[Any, BeforeValidator(_quantity), WithJsonSchema({"type": ["string", "number"]})]
PodSpec = Annotated[dict[str, Any], AfterValidator(_pod_spec)]
Texts = Annotated[tuple[str, ...], Field(strict=False)]
Maps = Annotated[tuple[dict[str, Any], ...], Field(strict=False)]
