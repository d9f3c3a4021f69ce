"""Prompts in English and Russian find the look they speak of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boothd.providers.studio.looks import DEFAULT, LOOKS, choose

PROMPTS = [
    ("", "film"),
    ("   \n", "film"),
    ("make us look great", "film"),
    ("сделай красиво", "film"),
    ("a photo of my cat", "film"),
    ("shot on Kodak Portra film", "film"),
    ("плёночная фотография", "film"),
    ("pencil", "pencil"),
    ("Turn this photo into a PENCIL SKETCH", "pencil"),
    ("a hand-drawn sketch", "pencil"),
    ("нарисуй карандашом", "pencil"),
    ("Карандашный рисунок", "pencil"),
    ("карандашный набросок на бумаге", "pencil"),
    ("charcoal sketch", "charcoal"),
    ("портрет углём", "charcoal"),
    ("рисунок углем и мелом", "charcoal"),
    ("на углу дома", "film"),
    ("watercolor painting", "watercolour"),
    ("Watercolour, soft washes", "watercolour"),
    ("water-colour", "watercolour"),
    ("акварельный портрет", "watercolour"),
    ("нарисуй акварелью", "watercolour"),
    ("АКВАРЕЛЬ", "watercolour"),
    ("картина акварелью", "watercolour"),
    ("oil painting in the style of Van Gogh", "oil"),
    ("a beautiful painting", "oil"),
    ("картина маслом", "oil"),
    ("сделай из фото картину маслом", "oil"),
    ("в стиле Ван Гога", "oil"),
    ("масляная живопись крупными мазками", "oil"),
    ("pointillism like Seurat", "pointillism"),
    ("пуантилизм", "pointillism"),
    ("comic book hero with halftone dots", "comic"),
    ("cartoon", "comic"),
    ("комикс", "comic"),
    ("в стиле комикса", "comic"),
    ("комиксный супергерой", "comic"),
    ("мультяшный персонаж", "comic"),
    ("Pop Art", "popart"),
    ("pop-art like Andy Warhol", "popart"),
    ("поп-арт", "popart"),
    ("в стиле поп-арта", "popart"),
    ("как у Уорхола", "popart"),
    ("risograph poster", "riso"),
    ("ризография", "riso"),
    ("halftone newspaper print", "newsprint"),
    ("фото в газете", "newsprint"),
    ("газетный растр", "newsprint"),
    ("engraving on a banknote", "engraving"),
    ("старинная гравюра", "engraving"),
    ("гравюры Дюрера", "engraving"),
    ("linocut", "linocut"),
    ("Japanese woodblock print", "linocut"),
    ("линогравюра", "linocut"),
    ("линогравюрой", "linocut"),
    ("гравюра на дереве", "linocut"),
    ("stained glass window", "glass"),
    ("витражное окно", "glass"),
    ("мозаикой", "glass"),
    ("cross-stitch", "stitch"),
    ("embroidered portrait", "stitch"),
    ("вышивка крестиком", "stitch"),
    ("вышитый портрет", "stitch"),
    ("black and white portrait", "bw"),
    ("B&W photo", "bw"),
    ("film noir", "bw"),
    ("чёрно-белое фото", "bw"),
    ("черно-белый снимок", "bw"),
    ("ч/б", "bw"),
    ("vintage polaroid", "vintage"),
    ("an old photograph", "vintage"),
    ("винтажная фотография", "vintage"),
    ("старое фото, сепия", "vintage"),
    ("cinematic movie still", "cinematic"),
    ("кинематографичный кадр", "cinematic"),
    ("как кадр из кино", "cinematic"),
]


@pytest.mark.parametrize(("prompt", "name"), PROMPTS)
def test_a_prompt_finds_its_look(prompt: str, name: str) -> None:
    assert choose(prompt).name == name


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("not black and white", "film"),
        ("oil painting, not black and white", "oil"),
        ("not black and white but watercolor", "watercolour"),
        ("don't make it black and white, use pencil", "pencil"),
        ("no comic or pencil, oil please", "oil"),
        ("without vintage look", "film"),
        ("not a pencil sketch", "film"),
        ("no text watercolor", "watercolour"),
        ("не чёрно-белое, а акварель", "watercolour"),
        ("без чёрно-белого, маслом", "oil"),
        ("не комикс и не карандаш, а витраж", "glass"),
        ("не в стиле комикса", "film"),
        ("не делай чёрно-белым", "film"),
        ("без эффекта комикса, карандашом", "pencil"),
        ("кино, только не чёрно-белое", "cinematic"),
    ],
)
def test_a_denied_look_is_not_chosen(prompt: str, name: str) -> None:
    assert choose(prompt).name == name


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("pencil and watercolor", "pencil"),
        ("watercolor and pencil", "watercolour"),
        ("акварель и карандаш", "watercolour"),
        ("карандаш и акварель", "pencil"),
        ("comic, then oil, oil paint, thick brush strokes", "oil"),
    ],
)
def test_the_look_named_most_wins_and_the_first_of_equals(prompt: str, name: str) -> None:
    assert choose(prompt).name == name


def test_a_denied_default_gives_another_look() -> None:
    assert choose("no film").name != DEFAULT.name
    assert choose("не плёнка") in LOOKS


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_a_look_answers_to_its_own_titles(look: object) -> None:
    assert look in LOOKS
    for one in LOOKS:
        if one is look:
            assert choose(one.title_en) is one
            assert choose(one.title_ru) is one


@given(st.text(max_size=300))
def test_any_text_gets_a_look(prompt: str) -> None:
    assert choose(prompt) in LOOKS


@given(
    st.lists(st.sampled_from(sorted({word.strip("~*") for look in LOOKS for word in look.words} | {"not", "не", ","})))
)
def test_any_mix_of_words_gets_a_look(words: list[str]) -> None:
    assert choose(" ".join(words)) in LOOKS


def test_a_very_long_prompt_is_read_in_part() -> None:
    assert choose("акварель " + "x " * 1_000_000).name == "watercolour"
