"""What the tests of the booth share."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.booth.booth_support import Booth


@pytest.fixture
def open_booth(tmp_path: Path) -> Iterator[Callable[..., Booth]]:
    """`open_booth(*providers, slots=…, budget=…)`: a booth in this test's home; one at a time."""
    booths: list[Booth] = []

    def start(*providers: Any, **config: Any) -> Booth:
        booths.append(Booth(tmp_path / "home", *providers, **config))
        return booths[-1]

    yield start
    for booth in booths:
        booth.clock.stop()
        booth.crash()
