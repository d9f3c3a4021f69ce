"""A photo of 20 MB does not pass through the daemon's memory."""

import sys
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.utils import getProcessOutputAndValue

from tests.http.http_support import asynchronous

RUN: Any = getProcessOutputAndValue
HERE = Path(__file__).parent


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc")
@asynchronous
async def test_receiving_20_mb_raises_the_peak_memory_by_less_than_2_mb(reactor: Any, tmp_path: Path) -> None:
    env = {"PYTHONPATH": f"{HERE}:{HERE.parent.parent}", "PATH": "/usr/bin:/bin"}
    args = [str(HERE / "http_memory.py"), str(tmp_path)]
    out, err, code = await RUN(sys.executable, args, env=env, reactor=reactor)
    assert code == 0, err.decode()
    rise_kb, whole, _ = (int(word) for word in out.split())
    assert whole
    assert rise_kb < 2048
