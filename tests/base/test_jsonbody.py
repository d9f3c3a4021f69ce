"""A JSON body streamed from files is the body that json.dumps would have made."""

import base64
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boothd.base.jsonbody import PIECE, File, _length, _parts, _pieces, json_body
from tests.base.body_support import PHOTO, NotedThreads, Server
from tests.sandbox.fakes_support import asynchronous

SIZES = [0, 1, 2, 3, 4, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 2]

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
FILES = st.builds(
    lambda content, urlsafe, prefix: (content, urlsafe, prefix),
    st.binary(max_size=40) | st.sampled_from(SIZES).map(lambda size: (PHOTO * 2)[:size]),
    st.booleans(),
    st.sampled_from(["", "data:image/jpeg;base64,", 'odd"\\\ud800é']),
)
TREES = st.recursive(
    LEAVES | FILES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)


def _both(tree: Any, folder: Path) -> tuple[Any, Any]:
    """The template that streams and the plain tree that json.dumps takes."""
    if isinstance(tree, tuple):
        content, urlsafe, prefix = tree
        path = folder / str(len(list(folder.iterdir())))
        path.write_bytes(content)
        encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
        return File(path, urlsafe=urlsafe, prefix=prefix), prefix + encode(content).decode()
    if isinstance(tree, list):
        pairs = [_both(item, folder) for item in tree]
        return [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    if isinstance(tree, dict):
        made = {key: _both(value, folder) for key, value in tree.items()}
        return {key: pair[0] for key, pair in made.items()}, {key: pair[1] for key, pair in made.items()}
    return tree, tree


@given(tree=TREES)
def test_the_bytes_are_those_of_json_dumps(tmp_path_factory: pytest.TempPathFactory, tree: Any) -> None:
    template, plain = _both(tree, tmp_path_factory.mktemp("files"))
    parts = _parts(template)
    pieces = list(_pieces(parts))
    assert b"".join(pieces) == json.dumps(plain, separators=(",", ":")).encode()
    assert _length(parts) == sum(map(len, pieces))
    assert all(len(piece) <= PIECE // 3 * 4 for piece in pieces if b"{" not in piece and b"[" not in piece)


@pytest.mark.parametrize(
    ("tree", "error"),
    [({1: 2}, TypeError), ({"a": object()}, TypeError), ([float("nan")], ValueError), ({"a": {1}}, TypeError)],
)
@asynchronous
async def test_what_json_does_not_have_is_refused(disk: NotedThreads, tree: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        await json_body(tree, disk)


@asynchronous
async def test_a_missing_file_is_an_error_at_once(disk: NotedThreads, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await json_body([File(tmp_path / "none")], disk)


@asynchronous
async def test_treq_sends_it_with_its_length(server: Server, disk: NotedThreads, tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(PHOTO)
    photo = File(tmp_path / "photo", urlsafe=True)
    body = await json_body({"contents": [{"inlineData": {"data": photo}}], "n": 1, "mask": photo}, disk)
    answer = await server.post(body)
    assert await answer.content() == b"ok"
    encoded = base64.urlsafe_b64encode(PHOTO).decode()
    assert json.loads(server.sink.bodies[0]) == {
        "contents": [{"inlineData": {"data": encoded}}],
        "n": 1,
        "mask": encoded,
    }
    assert server.sink.lengths == [str(body.length)]
    assert body.most_held_bytes == PIECE // 3 * 4
    assert threading.get_ident() not in disk.ran_in
