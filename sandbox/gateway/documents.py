"""The answers of Envoy's xDS protocol, as files; their version is the hash of what they say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any


def discovery_response(resources: Sequence[Any]) -> dict[str, Any]:
    """A DiscoveryResponse; Envoy tells in its statistics which version stands."""
    text = json.dumps(resources, sort_keys=True)
    return {"version_info": hashlib.sha256(text.encode()).hexdigest()[:16], "resources": list(resources)}
