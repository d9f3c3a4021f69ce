"""Pools of our own."""

import threading
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, DeferredList, ensureDeferred

from boothd.base.threads import Threads


@pytest_twisted.ensureDeferred
async def test_a_call_runs_in_another_thread_and_gives_its_result(disk_threads: Threads) -> None:
    def where(number: int, *, add: int) -> tuple[int, int]:
        return number + add, threading.get_ident()

    found, thread = await disk_threads.run(where, 1, add=2)
    assert found == 3
    assert thread != threading.get_ident()


@pytest_twisted.ensureDeferred
async def test_its_error_is_raised(disk_threads: Threads) -> None:
    with pytest.raises(ZeroDivisionError):
        await disk_threads.run(lambda: 1 // 0)


@pytest_twisted.ensureDeferred
async def test_no_more_than_its_size_run_at_once(picture_threads: Threads) -> None:
    seen, lock, running = list[int](), threading.Lock(), set[int]()

    def work() -> None:
        with lock:
            running.add(threading.get_ident())
            seen.append(len(running))
        threading.Event().wait(0.001)
        with lock:
            running.discard(threading.get_ident())

    await DeferredList([ensureDeferred(picture_threads.run(work)) for _ in range(20)], fireOnOneErrback=True)
    assert len(seen) == 20
    assert max(seen) <= 2


@pytest_twisted.ensureDeferred
async def test_cancelling_abandons_the_answer_and_not_the_work(disk_threads: Threads) -> None:
    may_go, done = threading.Event(), threading.Event()

    def work() -> None:
        may_go.wait()
        done.set()

    running = ensureDeferred(disk_threads.run(work))
    running.cancel()
    with pytest.raises(CancelledError):
        await running
    may_go.set()
    assert done.wait(10)


def test_stopping_lets_the_running_calls_end() -> None:
    from twisted.internet import reactor as _reactor  # noqa: TID251

    reactor: Any = _reactor
    threads, begun, done = Threads(reactor, "short", 1), threading.Event(), list[int]()

    def work() -> None:
        begun.set()
        done.append(1)

    ensureDeferred(threads.run(work))
    begun.wait(10)
    threads.stop()
    assert done == [1]
