"""What tests of commands that ask a cluster share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.observe.server_side import WritableApiServer


@pytest.fixture
def server() -> Iterator[WritableApiServer]:
    with WritableApiServer() as found:
        yield found
