"""What is wrong with a manifest, by what is known of its kind: the published CRDs, GKE's rules, a folder of CRDs.

`CRD_DIR` may name a folder of further CRD files (`*.yaml`), such as those of a cluster: what they say counts as well.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.crd import gke_rules, modules
from tests.crd.validator import Validator

LLM_D, X_K8S = "llm-d.ai", "inference.networking.x-k8s.io"
LLM_D_KINDS = ("InferenceModelRewrite", "InferenceObjective")

Kind = tuple[str, str]
"""apiVersion and kind."""


def problems_of(manifest: Mapping[str, Any]) -> list[str] | None:
    """What the API server would reject in a manifest that is created; None when nothing is known of its kind.

    Where the CRDs cannot be had, a kind of Gateway API or of the inference extension skips the calling test.
    """
    key = (str(manifest.get("apiVersion")), str(manifest.get("kind")))
    answers = [v.problems(manifest) for v in (*_gke().get(key, ()), *further().get(key, ()))]
    if key[0].split("/")[0] in (*modules.GROUPS, LLM_D):
        answers.append(_published_problems(key, manifest))
    if not answers:
        return None
    return list(dict.fromkeys(problem for answer in answers for problem in answer))


def validator_for(api_version: str, kind: str) -> Validator | None:
    """The published schema of a kind; skips the calling test where the CRDs cannot be had."""
    if reason := modules.why_not():
        pytest.skip(reason)
    return _published().get((api_version, kind))


def _published_problems(key: Kind, manifest: Mapping[str, Any]) -> list[str]:
    validator = validator_for(*key)
    return validator.problems(manifest) if validator else [f'kind: no matches for kind "{key[1]}" in version "{key[0]}"']


@functools.cache
def _gke() -> dict[Kind, list[Validator]]:
    return _by_kind(gke_rules.CRDS)


@functools.cache
def _published() -> dict[Kind, Validator]:
    crds = modules.crds()
    # llm-d-router's own CRDs are in no Go module that can be relied on. Its v0.10.0 has those of the inference
    # extension v1.5.0 with another group (and int32 as the format of `priority`), so its objects are judged by these.
    moved = [_moved(crd) for crd in crds if crd["spec"]["group"] == X_K8S and crd["spec"]["names"]["kind"] in LLM_D_KINDS]
    return {key: validators[0] for key, validators in _by_kind([*crds, *moved]).items()}


def _moved(crd: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**crd, "spec": {**crd["spec"], "group": LLM_D}}


def further() -> dict[Kind, list[Validator]]:
    """The CRDs in the folder that CRD_DIR names."""
    folder = os.environ.get("CRD_DIR")
    return _in_folder(folder) if folder else {}


@functools.cache
def _in_folder(folder: str) -> dict[Kind, list[Validator]]:
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"CRD_DIR names no folder: {folder}")
    return _by_kind(modules.read_crds([Path(folder)]))


def _by_kind(crds: Iterable[Mapping[str, Any]]) -> dict[Kind, list[Validator]]:
    found: dict[Kind, list[Validator]] = {}
    for crd in crds:
        for version in crd["spec"]["versions"]:
            if version["served"]:
                validator = Validator(crd, version["name"])
                found.setdefault((validator.api_version, validator.kind), []).append(validator)
    return found
