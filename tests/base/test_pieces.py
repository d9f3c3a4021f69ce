"""A body in pieces holds one piece at a time, lets go when it is stopped, and does not send a file that has changed."""

import threading
from pathlib import Path

import pytest
from twisted.internet.defer import CancelledError, ensureDeferred
from twisted.web.client import RequestGenerationFailed
from twisted.web.iweb import IBodyProducer

from boothd.base.pieces import FileChanged, PiecesBody, file_pieces
from tests.base.body_support import PHOTO, Consumer, NotedThreads, Server, a_turn, fd_paths
from tests.sandbox.fakes_support import asynchronous
from tests.support.deferreds import until

PIECE = 64 << 10


def body_of(path: Path, threads: NotedThreads) -> PiecesBody:
    """The file's bytes as they are."""
    size_bytes = path.stat().st_size
    return PiecesBody(file_pieces(path, size_bytes, PIECE), size_bytes, threads)


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 2])
def test_a_file_comes_whole_in_full_pieces(tmp_path: Path, size: int) -> None:
    path = tmp_path / "photo"
    path.write_bytes(PHOTO[:size])
    pieces = list(file_pieces(path, size, PIECE))
    assert b"".join(pieces) == PHOTO[:size]
    assert [len(piece) for piece in pieces[:-1]] == [PIECE] * (size // PIECE - (size % PIECE == 0 and size > 0))
    assert str(path) not in fd_paths()


@asynchronous
async def test_it_waits_while_paused_and_holds_one_piece(disk: NotedThreads, tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(PHOTO)
    body, consumer = body_of(tmp_path / "photo", disk), Consumer()
    assert IBodyProducer.providedBy(body)
    consumer.on_write = body.pauseProducing
    done = body.startProducing(consumer)
    over: list[object] = []
    done.addBoth(over.append)
    while not over:
        written, calls = len(consumer.pieces), disk.calls
        for _ in range(5):
            await a_turn()
        assert len(consumer.pieces) <= written + 1
        assert disk.calls <= calls + 2  # the piece after the one that waits
        body.resumeProducing()
    assert over == [None]
    assert b"".join(consumer.pieces) == PHOTO
    assert body.most_held_bytes == PIECE
    assert threading.get_ident() not in disk.ran_in


@pytest.mark.parametrize("how", ["stop", "cancel", "stop in write", "stop while paused"])
@asynchronous
async def test_stopping_closes_the_file(disk: NotedThreads, tmp_path: Path, how: str) -> None:
    (tmp_path / "photo").write_bytes(PHOTO)
    body, consumer = body_of(tmp_path / "photo", disk), Consumer()
    if how == "stop in write":

        def stop_at_the_third() -> None:
            if len(consumer.pieces) == 3:
                body.stopProducing()

        consumer.on_write = stop_at_the_third
    elif how == "stop while paused":
        consumer.on_write = body.pauseProducing
    done = body.startProducing(consumer)
    if how == "stop while paused":
        await until(lambda: len(consumer.pieces) == 1)
    else:
        await until(lambda: len(consumer.pieces) >= 3)
    if how == "cancel":
        done.cancel()
        with pytest.raises(CancelledError):
            await done
    elif how != "stop in write":
        body.stopProducing()
    written = len(consumer.pieces)
    await until(lambda: str(tmp_path / "photo") not in fd_paths())
    for _ in range(5):
        await a_turn()
    assert len(consumer.pieces) == written
    assert done.called == (how == "cancel")
    assert body.error is None


@asynchronous
async def test_a_stop_before_the_start_reads_nothing(disk: NotedThreads, tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(PHOTO)
    body, consumer = body_of(tmp_path / "photo", disk), Consumer()
    body.stopProducing()  # as a transport does that is closed when the producer is registered
    body.startProducing(consumer)
    for _ in range(5):
        await a_turn()
    assert consumer.pieces == []


@pytest.mark.parametrize("size", [0, 1, len(PHOTO) - 1, len(PHOTO) + 1, 2 * len(PHOTO)])
@pytest.mark.parametrize("when", ["before", "while"])
@asynchronous
async def test_a_file_of_another_length_is_an_error(disk: NotedThreads, tmp_path: Path, size: int, when: str) -> None:
    def change() -> None:
        with path.open("r+b") as file:
            file.truncate(size)

    path = tmp_path / "photo"
    path.write_bytes(PHOTO)
    body, consumer = body_of(path, disk), Consumer()
    if when == "before":
        change()
    else:
        consumer.on_write = lambda: change() if len(consumer.pieces) == 3 else None
    with pytest.raises(FileChanged, match="photo"):
        await body.startProducing(consumer)
    assert isinstance(body.error, FileChanged)
    assert sum(map(len, consumer.pieces)) < body.length


@asynchronous
async def test_treq_tells_that_a_file_shrank(server: Server, disk: NotedThreads, tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(PHOTO)
    body = body_of(tmp_path / "photo", disk)
    (tmp_path / "photo").write_bytes(PHOTO[:-1])
    with pytest.raises(RequestGenerationFailed):
        await server.post(body)
    assert isinstance(body.error, FileChanged)
    assert server.sink.bodies == []


@asynchronous
async def test_cancelling_a_request_ends_the_reading(server: Server, disk: NotedThreads, tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(PHOTO)
    body = body_of(tmp_path / "photo", disk)
    disk.may_go.clear()  # a slow disk
    sending = ensureDeferred(server.post(body))
    calls = disk.calls
    await until(lambda: disk.calls > calls)
    sending.cancel()
    with pytest.raises(Exception, match="CancelledError"):
        await sending
    calls = disk.calls
    disk.may_go.set()
    await until(lambda: disk.calls > calls)  # closing the file
    await until(lambda: str(tmp_path / "photo") not in fd_paths())
    for _ in range(5):
        await a_turn()
    assert disk.calls == calls + 1
    assert server.sink.bodies == []
