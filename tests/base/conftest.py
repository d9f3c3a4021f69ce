"""What the tests of request bodies share."""

from collections.abc import AsyncIterator

import pytest_twisted

from tests.base.body_support import NotedThreads, Server


@pytest_twisted.async_yield_fixture()
async def disk() -> AsyncIterator[NotedThreads]:
    from twisted.internet import reactor  # noqa: TID251

    made = NotedThreads(reactor)
    yield made
    made.may_go.set()
    made.stop()


@pytest_twisted.async_yield_fixture()
async def server() -> AsyncIterator[Server]:
    from twisted.internet import reactor  # noqa: TID251

    made = Server(reactor)
    yield made
    await made.stop()
