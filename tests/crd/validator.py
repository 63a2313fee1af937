"""kube-apiserver's verdict on one custom resource, computed from its CRD without a server.

The steps and their order are those of apiextensions-apiserver (pkg/apiserver/customresource_handler.go and
pkg/registry/customresource/validator.go): unknown fields (as with fieldValidation=Strict), nulls pruned, defaults, the
structural schema, unique list keys, then the CEL rules, and those only when everything before passed.
Left out: ratcheting of unchanged values on update, cost limits of rules, all string formats but the four in use,
embedded resources, webhooks.
"""

from __future__ import annotations

import functools
import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import cel
from cel import stdlib
from jsonschema import Draft4Validator, FormatChecker
from jsonschema.exceptions import ValidationError

Schema = Mapping[str, Any]

PRESERVE = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"
LIST_TYPE = "x-kubernetes-list-type"
LIST_KEYS = "x-kubernetes-list-map-keys"
RULES = "x-kubernetes-validations"

_ABSENT: Any = object()


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


class Validator:
    """Judges objects of one version of one CRD."""

    def __init__(self, crd: Mapping[str, Any], version: str | None = None) -> None:
        spec = crd["spec"]
        chosen = next(v for v in spec["versions"] if v["served"] and version in (None, v["name"]))
        root = chosen["schema"]["openAPIV3Schema"]
        # apiVersion, kind and metadata are the server's own, whatever a CRD says of them.
        meta = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {PRESERVE: True}}
        self.schema: Schema = {**root, "properties": {**root.get("properties", {}), **meta}}
        self.api_version = f"{spec['group']}/{chosen['name']}"
        self.kind = spec["names"]["kind"]
        self._structure = Draft4Validator(_json_schema(self.schema), format_checker=_FORMATS)

    def problems(self, obj: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> list[str]:
        """What the server would say: `path: message` lines, empty when it accepts the object.

        Args:
            obj: the object as it is sent.
            old: the object that stands, for an update; without it this is a create, which skips transition rules.
        """
        if (obj.get("apiVersion"), obj.get("kind")) != (self.api_version, self.kind):
            return [f"kind: this is the schema of {self.kind} in {self.api_version}"]
        sent = _as_sent(obj)
        unknown = [f'{path}: unknown field "{path}"' for path in _unknown(self.schema, sent)]
        stored = _defaulted(self.schema, sent)
        found = [*unknown, *_metadata(sent), *self._structural(stored), *_duplicates(self.schema, stored)]
        if found:
            return list(dict.fromkeys(found))
        before = _ABSENT if old is None else _defaulted(self.schema, _as_sent(old))
        return list(_broken_rules(self.schema, stored, before))

    def _structural(self, stored: Any) -> Iterator[str]:
        for error in self._structure.iter_errors(stored):
            yield from _messages(error)


def _as_sent(obj: Mapping[str, Any]) -> Any:
    """A copy as it travels in JSON; whole floats become integers, which is how Pulumi's numbers are written out."""
    return json.loads(json.dumps(obj), parse_float=lambda text: int(float(text)) if float(text) % 1 == 0 else float(text))


def _below(schema: Schema, value: Any) -> Iterator[tuple[str | int, Schema, Any]]:
    """The parts of a value that the schema describes: key, schema, value."""
    if isinstance(value, dict):
        for key, item in value.items():
            part = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
            if isinstance(part, Mapping):
                yield key, part, item
    elif isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield index, schema["items"], item


def _join(path: str, key: str | int) -> str:
    return f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}" if path else key


# --- unknown fields, nulls, defaults


def _unknown(schema: Schema, value: Any, path: str = "") -> Iterator[str]:
    closed = schema.get("type") == "object" and not schema.get(PRESERVE) and not schema.get("additionalProperties")
    if closed and isinstance(value, dict):
        yield from (_join(path, key) for key in value if key not in schema.get("properties", {}))
    for key, part, item in _below(schema, value):
        yield from _unknown(part, item, _join(path, key))


def _defaulted(schema: Schema, value: Any) -> Any:
    """The value as it is stored: a null where none may be counts as left out, and defaults fill what is left out."""
    if isinstance(value, list) and "items" in schema:
        return [_defaulted(schema["items"], item) for item in value]
    if not isinstance(value, dict):
        return value
    parts = {key: part for key, part, _ in _below(schema, value)}
    kept = {k: v for k, v in value.items() if v is not None or k not in parts or parts[k].get("nullable")}
    for key, part in schema.get("properties", {}).items():
        if "default" in part and key not in kept:
            kept[key] = part["default"]
            parts[key] = part
    return {key: _defaulted(parts[key], item) if key in parts else item for key, item in kept.items()}


# --- structure

_KEPT = _words(
    "enum minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength minItems maxItems "
    "minProperties maxProperties required"
)
_INTEGERS = {"int32": 2**31, "int64": 2**63}
_JSON_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
)


_FORMATS = FormatChecker(formats=("ipv4", "ipv6", "date"))


@_FORMATS.checks("date-time")
def _is_date_time(text: object) -> bool:
    return not isinstance(text, str) or bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", text))


def _json_schema(schema: Schema) -> dict[str, Any]:
    """OpenAPI v3 as JSON Schema draft 4, whose exclusive bounds are booleans as in OpenAPI."""
    out: dict[str, Any] = {key: schema[key] for key in _KEPT if key in schema}
    if kinds := ["integer", "string"] if schema.get(INT_OR_STRING) else [schema["type"]] if schema.get("type") else []:
        out["type"] = [*kinds, "null"] if schema.get("nullable") else kinds
    if "pattern" in schema:
        out |= {"pattern": _python_pattern(schema["pattern"]), "x-pattern": schema["pattern"]}
    if limit := _INTEGERS.get(schema.get("format", "")):
        out = {"minimum": -limit, "maximum": limit - 1} | out
    elif "format" in schema:
        out["format"] = schema["format"]
    if "properties" in schema:
        out["properties"] = {name: _json_schema(part) for name, part in schema["properties"].items()}
    for key in ("items", "additionalProperties", "not"):
        if isinstance(schema.get(key), Mapping):
            out[key] = _json_schema(schema[key])
    for key in ("allOf", "anyOf", "oneOf"):
        if key in schema:
            out[key] = [_json_schema(part) for part in schema[key]]
    return out


def _python_pattern(pattern: str) -> str:
    """A Go pattern for Python: classes are ASCII, and `$` is the end of the text, never a newline before it."""
    tokens = re.findall(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", pattern, re.DOTALL)
    return "(?a)" + "".join(r"\Z" if token == "$" else token for token in tokens)


def _messages(error: ValidationError) -> Iterator[str]:
    path = functools.reduce(_join, error.absolute_path, "")
    value: Any = error.instance
    wanted: Any = error.validator_value
    if error.validator == "required":
        yield from (f"{_join(path, name)}: Required value" for name in wanted if name not in value)
        return
    shown = json.dumps(value) if not isinstance(value, list | dict) else f'"{_type(value)}"'
    say: dict[str, Callable[[], str]] = {
        "type": lambda: f'Invalid value: {shown}: must be of type {"/".join(wanted)}: "{_type(value)}"',
        "maximum": lambda: f"Invalid value: {shown}: should be less than or equal to {wanted}",
        "minimum": lambda: f"Invalid value: {shown}: should be greater than or equal to {wanted}",
        "enum": lambda: f"Unsupported value: {shown}: supported values: {', '.join(map(json.dumps, wanted))}",
        "pattern": lambda: f"Invalid value: {shown}: should match '{error.schema['x-pattern']}'",  # type: ignore[index]
        "format": lambda: f"Invalid value: {shown}: must be of type {wanted}",
        "oneOf": lambda: f"Invalid value: {shown}: must validate one and only one schema (oneOf)",
        "anyOf": lambda: f"Invalid value: {shown}: must validate at least one schema (anyOf)",
        "minLength": lambda: f"Invalid value: {shown}: should be at least {wanted} chars long",
        "maxLength": lambda: f"Too long: may not be more than {wanted} bytes",
        "minItems": lambda: f"Invalid value: {len(value)}: should have at least {wanted} items",
        "maxItems": lambda: f"Too many: {len(value)}: must have at most {wanted} items",
        "minProperties": lambda: f"Invalid value: {len(value)}: should have at least {wanted} properties",
        "maxProperties": lambda: f"Too many: {len(value)}: must have at most {wanted} items",
    }
    yield f"{path}: {say.get(str(error.validator), lambda: f'Invalid value: {error.message}')()}"


def _type(value: Any) -> str:
    return next((name for kind, name in _JSON_TYPES if isinstance(value, kind)), "null")


def _duplicates(schema: Schema, value: Any, path: str = "") -> Iterator[str]:
    kind = schema.get(LIST_TYPE)
    if isinstance(value, list) and kind in ("set", "map"):
        seen: list[Any] = []
        for index, item in enumerate(value):
            key = item if kind == "set" else _list_key(schema, item)
            if key in seen:
                yield f"{path}[{index}]: Duplicate value: {json.dumps(key)}"
            seen.append(key)
    for key, part, item in _below(schema, value):
        yield from _duplicates(part, item, _join(path, key))


def _list_key(schema: Schema, item: Any) -> Any:
    return {key: item.get(key) for key in schema[LIST_KEYS]} if isinstance(item, dict) else item


# --- metadata, as ValidateObjectMeta in apimachinery (pkg/api/validation/objectmeta.go) judges it

_META = _words(
    "name generateName namespace labels annotations finalizers ownerReferences uid resourceVersion generation "
    "creationTimestamp deletionTimestamp deletionGracePeriodSeconds managedFields selfLink"
)
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]")
_ANNOTATIONS_BYTES = 256 * 1024


def _metadata(obj: Mapping[str, Any]) -> Iterator[str]:
    meta = obj.get("metadata") or {}
    if not isinstance(meta, dict):
        yield f'metadata: Invalid value: must be of type object: "{_type(meta)}"'
        return
    yield from (f'metadata.{key}: unknown field "metadata.{key}"' for key in meta if key not in _META)
    name = meta.get("name")
    if name is None and not meta.get("generateName"):
        yield "metadata.name: Required value: name or generateName is required"
    for key, longest in (("name", 253), ("namespace", 63)):
        text = meta.get(key, "a")
        if not isinstance(text, str) or len(text) > longest or not _SUBDOMAIN.fullmatch(text):
            yield f"metadata.{key}: Invalid value: {json.dumps(text)}: must be a lowercase RFC 1123 name of {longest}"
    for kind in ("labels", "annotations"):
        for key, text in (meta.get(kind) or {}).items():
            if not _is_qualified(key) or not isinstance(text, str):
                yield f"metadata.{kind}: Invalid value: {json.dumps({key: text})}: needs a qualified name and a text"
            elif kind == "labels" and text and not _QUALIFIED.fullmatch(text):
                yield f"metadata.labels: Invalid value: {json.dumps(text)}: must be a label value of 63 characters"
    if sum(len(f"{k}{v}".encode()) for k, v in (meta.get("annotations") or {}).items()) > _ANNOTATIONS_BYTES:
        yield f"metadata.annotations: Too long: may not be more than {_ANNOTATIONS_BYTES} bytes"


def _is_qualified(key: str) -> bool:
    prefix, _, name = key.rpartition("/")
    known = not prefix or (len(prefix) <= 253 and _SUBDOMAIN.fullmatch(prefix.lower()))
    return bool(known and _QUALIFIED.fullmatch(name)) and not key.startswith("/")


# --- CEL rules

# Property names that are words of CEL; Kubernetes lets rules write them as `__namespace__`.
_RESERVED = _words(
    "true false null in as break const continue else for function if import let loop package namespace return var void while"
)
_ESCAPES = (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__"))


def _is_ip(text: str) -> bool:
    """Kubernetes' isIP: a plain IPv4 or IPv6 address, no zone and no IPv4 in IPv6."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text and getattr(address, "ipv4_mapped", None) is None


def _functions() -> dict[str, Callable[..., Any]]:
    context = cel.Context()
    stdlib.add_stdlib_to_context(context)
    return {**context.functions, "isIP": _is_ip}


_FUNCTIONS = _functions()


@functools.cache
def _compiled(expression: str) -> tuple[cel.Program, dict[str, Callable[..., Any]], bool]:
    """The program, the functions it calls, and whether it is a transition rule."""
    program = cel.compile(expression)
    used = {name: _FUNCTIONS[name] for name in program.functions() if name in _FUNCTIONS}
    return program, used, "oldSelf" in program.variables()


def _broken_rules(schema: Schema, value: Any, old: Any, path: str = "") -> Iterator[str]:
    if value is None:
        return
    for rule in schema.get(RULES, ()):
        if (said := _verdict(rule, schema, value, old)) is not None:
            yield f"{path}{rule.get('fieldPath', '')}: Invalid value: {said}"
    for key, part, item in _below(schema, value):
        yield from _broken_rules(part, item, _counterpart(schema, old, key, item), _join(path, key))


def _verdict(rule: Mapping[str, str], schema: Schema, value: Any, old: Any) -> str | None:
    """The rule's message when it does not hold."""
    variables = {"self": _to_cel(schema, value)}
    if _compiled(rule["rule"])[2]:
        if old is _ABSENT:
            return None
        variables["oldSelf"] = _to_cel(schema, old)
    try:
        if _run(rule["rule"], variables) is True:
            return None
        if "messageExpression" in rule:
            return str(_run(rule["messageExpression"], variables))
    except NotImplementedError:
        raise
    except Exception as error:  # the engine has no error class of its own, and the server rejects on any of them
        return f"{error} evaluating rule: {rule.get('message', rule['rule'])}"
    return rule.get("message", f"failed rule: {rule['rule']}")


def _run(expression: str, variables: dict[str, Any]) -> Any:
    program, used, _ = _compiled(expression)
    try:
        return program.execute(cel.Context(variables, used))
    except RuntimeError as error:
        raise NotImplementedError(f"a function of Kubernetes' CEL is missing here: {error}") from error


def _counterpart(schema: Schema, old: Any, key: str | int, item: Any) -> Any:
    """The old value of one part; lists are compared item by item only where the schema gives the items a key."""
    if isinstance(key, str):
        return old.get(key, _ABSENT) if isinstance(old, dict) else _ABSENT
    if schema.get(LIST_TYPE) != "map" or not isinstance(old, list):
        return _ABSENT
    wanted = _list_key(schema, item)
    return next((before for before in old if _list_key(schema, before) == wanted), _ABSENT)


def _to_cel(schema: Schema, value: Any) -> Any:
    """The value as rules see it: escaped property names, and `number` always a double."""
    if schema.get("type") == "number" and isinstance(value, int):
        return float(value)
    if isinstance(value, list):
        return [_to_cel(schema.get("items", {}), item) for item in value]
    if isinstance(value, dict):
        parts = {key: part for key, part, _ in _below(schema, value)}
        named = schema.get("properties", {})
        return {_escaped(k) if k in named else k: _to_cel(parts.get(k, {}), item) for k, item in value.items()}
    return value


def _escaped(name: str) -> str:
    if name in _RESERVED:
        return f"__{name}__"
    return functools.reduce(lambda text, pair: text.replace(*pair), _ESCAPES, name)
