"""Names: how object names are made from the names in the stack config, and the labels and annotations we own."""

from __future__ import annotations

import hashlib
import re

DOMAIN = "inference-rollouts"
SPLIT_ANNOTATION = f"{DOMAIN}/split"
"""On the route and on each adapter split: the split it was written for, as JSON; the guard's second line reads it."""

SERVICE_LABEL = f"{DOMAIN}/service"
VERSION_LABEL = f"{DOMAIN}/version"


def object_name(name: str, limit: int = 63) -> str:
    """A Kubernetes object name for a model or adapter name, which may hold `/` and capitals.

    Where the name cannot stay as it is, a short hash of it keeps two that look alike apart.

    >>> object_name("llm")
    'llm'
    >>> object_name("acme/Tone")
    'acme-tone-b9cf15'
    """
    clean = re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")
    if clean == name and len(clean) <= limit:
        return clean
    digest = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{clean[: limit - 7].rstrip('-') or 'a'}-{digest}"


def picker_name(version: str) -> str:
    """Default name of a version's endpoint picker, as the upstream charts have it."""
    return f"{version}-epp"
