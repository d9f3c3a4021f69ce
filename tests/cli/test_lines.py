"""Single values of a YAML text are changed, and nothing else."""

from pathlib import Path
from typing import Any

import pytest

from boothd.cli.lines import Unchangeable, put, with_keys


@pytest.mark.parametrize(
    ("before", "values", "after"),
    [
        ("", {"a": 1}, "a: 1\n"),
        ("# only words", {"a": 1}, "# only words\na: 1\n"),
        ("a:   2   # two\nb: 3\n", {"a": 1}, "a:   1   # two\nb: 3\n"),
        ("a:\nb: 3\n", {"a": 1}, "a: 1\nb: 3\n"),
        ("a: |\n  long\n  text\n# about b\nb: 3\n", {"a": "x"}, "a: x\n# about b\nb: 3\n"),
        ("a:\n  - 1\n  - 2\nb: 3\n", {"b": 4}, "a:\n  - 1\n  - 2\nb: 4\n"),
        ("'a': \"x # y\" # z\n", {"a": "n"}, "'a': n # z\n"),
        ("# why\n#a: 5\n\n#b: 6", {"a": 1, "b": 2}, "# why\n#a: 5\na: 1\n\n#b: 6\nb: 2\n"),
        ("#aa: 5\nc: x\n", {"a": 1}, "#aa: 5\nc: x\na: 1\n"),
        ("{b: 2}\n", {"a": True}, "{a: true, b: 2}\n"),
        ("{}\n", {"a": True}, "{a: true}\n"),
        ("#a: 5\r\nb: 2\r\n", {"a": 1}, "#a: 5\r\na: 1\r\nb: 2\r\n"),
        ("\ufeffb: 2\n", {"b": "é"}, "\ufeffb: é\n"),
    ],
)
def test_a_key_is_replaced_or_stands_below_its_default_or_at_the_end(
    before: str, values: dict[str, Any], after: str
) -> None:
    assert with_keys(before, values) == after


def test_a_key_deep_inside_is_changed_in_its_place() -> None:
    before = "slots:\n  1:\n    go: false # yet\n  2:\n    name: x\n  3: {go: false}\n"
    for number in (1, 2, 3):
        before = with_keys(before, {"go": True}, "slots", number)
    assert before == "slots:\n  1:\n    go: true # yet\n  2:\n    go: true\n    name: x\n  3: {go: true}\n"


@pytest.mark.parametrize(
    "text", ["- a\n", "a: [\n", "b: 1\n...\n", "b: &x 2\na: *x\n", "a: &x 2\nb: *x\n", "b:\n  c: 1\n#a: 0\n  d: 2\n"]
)
def test_what_would_change_more_is_refused(text: str) -> None:
    with pytest.raises(Unchangeable):
        with_keys(text, {"a": 1})


def test_a_file_is_replaced_whole_with_its_mode_also_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    file, link = tmp_path / "real" / "a.yaml", tmp_path / "a.yaml"
    file.write_text("a: 1\r\n")
    file.chmod(0o640)
    link.symlink_to(file)
    put(link, "a: 2\r\n")
    assert (link.is_symlink(), file.read_bytes(), file.stat().st_mode & 0o777) == (True, b"a: 2\r\n", 0o640)
    assert list(file.parent.iterdir()) == [file]
