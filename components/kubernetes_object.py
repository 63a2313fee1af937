"""A manifest as a Pulumi resource, with the type token that pulumi-kubernetes itself uses for its kind.

One function for built-in kinds and custom resources alike: a stack that began with the typed classes of the SDK finds the
same tokens, and the program does not load `core/v1` (0.3 s of every preview).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi


def token(manifest: Mapping[str, Any]) -> str:
    """Type token of a manifest's kind.

    >>> token({"apiVersion": "v1", "kind": "Service"})
    'kubernetes:core/v1:Service'
    >>> token({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"})
    'kubernetes:gateway.networking.k8s.io/v1:HTTPRoute'
    """
    version = manifest["apiVersion"]
    return f"kubernetes:{version if '/' in version else f'core/{version}'}:{manifest['kind']}"


class KubernetesObject(pulumi.CustomResource):
    """One Kubernetes object.

    It needs an explicit kubernetes provider (`provider=` or `providers=` on the component): the class has no default one.

    Args:
        name: logical name.
        manifest: apiVersion, kind, metadata with a fixed name, and the rest of the object.
    """

    def __init__(self, name: str, manifest: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(token(manifest), name, dict(manifest), opts)
