"""What the models are told."""

import pytest

from boothd.providers.common.instructions import (
    BACKGROUND,
    FACE_SWAP,
    FURTHER_REFERENCES,
    PROMPT,
    instruction,
    with_negative,
)


def test_the_slots_words_come_after_the_built_in_ones() -> None:
    assert instruction("Built in.", "As a pirate.", 0, 0) == "Built in.\n\nAs a pirate."
    assert instruction("Built in.", "", 0, 0) == "Built in."


@pytest.mark.parametrize(("references", "expected", "said"), [(0, 1, False), (1, 1, False), (2, 1, True), (1, 0, True)])
def test_pictures_that_the_built_in_part_does_not_speak_of_are_explained(
    references: int, expected: int, said: bool
) -> None:
    text = instruction("Built in.", "As a pirate.", references, expected)
    assert (FURTHER_REFERENCES in text) is said
    assert text.endswith("As a pirate.")


def test_what_must_not_be_seen_is_said_in_words_if_there_is_any() -> None:
    assert with_negative("A sea.", "") == "A sea."
    assert with_negative("A sea.", "boats, rain") == "A sea.\n\nThe picture shows none of the following: boats, rain."


@pytest.mark.parametrize("text", [FACE_SWAP, BACKGROUND, PROMPT])
def test_the_built_in_instructions_begin_with_the_order_of_the_pictures(text: str) -> None:
    assert text.startswith("The first picture is a ")
    assert "guest" in text
    assert text == " ".join(text.split())  # line ends in the source are none in the text
