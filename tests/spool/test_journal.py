"""A journal survives whatever a crash does to its end, and says when it was damaged otherwise."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boothd.spool.journal import Damaged, Entry, Received, dump, parse, read, received
from tests.support.entries import entries, journals
from tests.support.spools import AT, attempt, ended, finished

LIFE = (
    Received(
        at=AT,
        room="booth",
        slot="studio-1",
        provider="studio",
        file="source.jpg",
        name="größe.jpg",
        sha256="0" * 64,
        size_bytes=7,
        width=4,
        height=3,
        format="JPEG",
        form=(("user_id", "Acer\r\n\x85\u2028"),),
    ),
    attempt(),
    ended(),
    finished(),
)


@given(st.lists(entries))
def test_what_was_written_is_read_again(written: list[Entry]) -> None:
    data = dump(written)
    assert parse(data) == (written, len(data))
    assert data.count(b"\n") == len(written)


@given(journals, st.data())
def test_a_journal_that_is_cut_anywhere_holds_the_entries_before_the_cut(
    written: Sequence[Entry], data: st.DataObject
) -> None:
    whole = dump(written)
    cut = data.draw(st.integers(0, len(whole)))
    found, whole_lines = parse(whole[:cut])
    assert list(found) == list(written[: len(found)])
    assert whole_lines == len(dump(found))
    assert parse(whole[:whole_lines]) == (found, whole_lines)


@given(journals, st.binary(max_size=20).filter(lambda b: b"\n" not in b))
def test_garbage_behind_the_last_line_is_left_out(written: Sequence[Entry], garbage: bytes) -> None:
    whole = dump(written)
    assert parse(whole + garbage) == (written, len(whole))


@settings(max_examples=300)
@given(journals, st.data())
def test_a_flipped_byte_is_damage_or_changes_a_value_but_loses_no_line_before_the_last(
    written: Sequence[Entry], data: st.DataObject
) -> None:
    whole = bytearray(dump(written))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found, _ = parse(bytes(whole))
    except Damaged:
        return
    assert len(written) - 1 <= len(found) <= len(written)
    if len(found) < len(written):
        assert place == len(whole) - 1  # the last line's end: to a reader it was never finished


@pytest.mark.parametrize("byte", [0x00, 0x07, 0xFF, ord("\n"), ord("\r")])
def test_a_byte_that_json_cannot_hold_is_damage_wherever_it_stands_inside_a_line(byte: int) -> None:
    whole = dump(LIFE)
    for place in range(whole.index(b"\n")):
        with pytest.raises(Damaged, match="line 1 of the journal"):
            parse(whole[:place] + bytes((byte,)) + whole[place + 1 :])


def test_damage_names_its_line_and_quotes_nothing(tmp_path: Path) -> None:
    data = dump(LIFE[:1]) + b'{"kind": "attempt", "user": "Acer"}\n' + dump(LIFE[1:])
    with pytest.raises(Damaged, match="line 2 of the journal") as caught:
        parse(data)
    assert "Acer" not in str(caught.value)


def test_calls_of_an_older_boothd_were_all_for_pictures() -> None:
    lines = dump([attempt(), ended()]).replace(b'"role":"make","credit_provider":"","credit_model":""', b'"x":1')
    assert b"role" not in lines
    assert parse(lines)[0] == [attempt(), ended()]


def test_what_a_newer_boothd_wrote_besides_is_left_out() -> None:
    line = json.loads(dump(LIFE[:1]))
    line["colour_of_the_hall"] = {"red": [1, 2]}
    assert parse(json.dumps(line).encode() + b"\n")[0] == [LIFE[0]]


def test_times_are_kept_with_their_zone() -> None:
    at = datetime(2026, 11, 20, 18, 0, 0, 123456, tzinfo=UTC)
    (found,), _ = parse(dump([finished().model_copy(update={"at": at})]))
    assert found.at == at


def test_a_journal_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_bytes(dump(LIFE) + b'{"kind": "atte')
    found = read(tmp_path / "journal.jsonl")
    assert list(found) == list(LIFE)
    assert received(found) == LIFE[0]


@pytest.mark.parametrize("data", [b"", b'{"kind": "rece', dump(LIFE[1:])])
def test_a_journal_begins_with_the_photos_arrival(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "journal.jsonl").write_bytes(data)
    with pytest.raises(Damaged, match="does not begin with the photo's arrival"):
        read(tmp_path / "journal.jsonl")


def test_no_journal_is_damage(tmp_path: Path) -> None:
    with pytest.raises(Damaged, match="cannot be read"):
        read(tmp_path / "journal.jsonl")


def test_an_arrival_is_asked_of_entries_that_have_one() -> None:
    with pytest.raises(Damaged):
        received([])
    with pytest.raises(Damaged):
        received(LIFE[1:])
