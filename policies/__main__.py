"""The policy pack: the rules of `inference_rollouts.predicates` as Pulumi policies, for any stack. It decides nothing itself.

The engine starts it as `python -u -m pulumi.policy ENGINE FOLDER`, once for each preview and each update.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# The pack runs in its own environment (pulumi-policy needs protobuf 5, Pulumi programs have 6), in which this project is
# not installed, and with its own folder as the working directory: so it looks beside that folder.
sys.path.append(str(Path(__file__).resolve().parents[1]))

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    PolicyPack,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError
from rules import ON_RESOURCE, ON_STACK, Rule

from inference_rollouts.predicates import UNKNOWN, Resource, Stack

seen: dict[str, Mapping[str, Any]] = {}
"""Inputs by URN, of everything registered so far.

A stack policy gets outputs, and those are empty in a preview whose provider is not configured yet, as on the cluster that
the same stack creates (sdk/go/common/resource/plugin/provider_plugin.go, Create): it would pass what it cannot see.
"""


def plain(value: Any) -> Any:
    """A copy as plain dicts and lists, with UNKNOWN where pulumi-policy would raise.

    Left to raise, one unknown value turns a mandatory policy into an advisory "can't run policy" (pulumi-policy policy.py).
    """
    if isinstance(value, Mapping):
        return {key: _known(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_known(value, index) for index in range(len(value))]
    return value


def _known(part: Any, key: Any) -> Any:
    try:
        return plain(part[key])
    except UnknownValueError:
        return UNKNOWN


def resource_policy(rule: Rule) -> Policy:
    """A rule on one resource, asked before it is made or changed."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        seen[args.urn] = plain(args.props)
        resource = Resource(args.resource_type, seen[args.urn], args.urn, args.opts.protect, args.opts.parent or "")
        for sentence in rule.judge(resource):
            report(sentence, None)

    return ResourceValidationPolicy(rule.name, rule.description, validate, EnforcementLevel.MANDATORY)


def stack_policy(rule: Rule, schema: PolicyConfigSchema | None = None) -> Policy:
    """A rule on all resources, asked once at the end."""

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        stack = Stack([_registered(r) for r in args.resources], args.get_config().get("externalPools", ()))
        for resource in stack.resources:
            for sentence in rule.judge(resource, stack):
                report(sentence, resource.urn)

    return StackValidationPolicy(rule.name, rule.description, validate, EnforcementLevel.MANDATORY, schema)


def _registered(resource: PolicyResource) -> Resource:
    inputs = seen.get(resource.urn)
    parent = resource.parent.urn if resource.parent else ""
    whole = plain(resource.props) if inputs is None else inputs
    return Resource(resource.resource_type, whole, resource.urn, resource.opts.protect, parent)


_POOL = {"type": "string", "pattern": "^[^/]+/[^/]+$"}
SCHEMAS = {"backend-pool": PolicyConfigSchema({"externalPools": {"type": "array", "items": _POOL, "default": []}})}

POLICIES = [resource_policy(rule) for rule in ON_RESOURCE] + [stack_policy(rule, SCHEMAS.get(rule.name)) for rule in ON_STACK]

if __name__ == "__main__":
    PolicyPack("inference-rollouts", POLICIES, EnforcementLevel.MANDATORY)
