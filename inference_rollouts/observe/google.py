"""What Google's APIs are asked with: a token of the application default credentials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def token(scopes: Sequence[str], timeout: float) -> str:
    """An access token.

    Args:
        scopes: what it is for.
        timeout: seconds that each step may take; some would wait for two minutes.

    Raises:
        Exception: whatever google-auth has to say, or ImportError without it.
    """
    import google.auth
    from google.auth.transport.requests import Request

    asked = Request()

    def request(*args: Any, **kwargs: Any) -> Any:
        """Its own time-outs may be shorter, as for the metadata server."""
        return asked(*args, **{**kwargs, "timeout": min(kwargs.get("timeout") or timeout, timeout)})

    credentials, _ = google.auth.default(scopes=list(scopes), request=request)
    credentials.refresh(request)
    return str(credentials.token)
