"""Services that do not answer in time: the booth is told so, the call's connection is closed, and the money is told of."""

from collections.abc import Iterator, Mapping

import pytest

from tests.support.zoo import Row, Seen, Zoo, zoo
from tests.support.zoo_fakes import FakeProcess, fake_processes
from tests.support.zoo_slow import BUDGET, check, play, slots_of

LATE = "504 out-of-time"
OPENAI_LIKE = (
    Row("never answers", "[[hang]]", LATE, "out-of-time maybe", 0),
    Row("never answers but charges", "[[charge-first hang]]", LATE, "out-of-time maybe", 1),
    Row("stops in the middle of the answer", "[[hang-body]]", LATE, "out-of-time maybe", 1),
    Row("is overloaded all the time", "[[status=503]]", "502 unavailable", "unavailable no", 0),
    Row("is busy all the time", "[[status=429 retry-after=1]]", "502 busy", "busy no", 0),
)
TABLE: Mapping[str, tuple[Row, ...]] = {
    "gemini": OPENAI_LIKE,
    "openai-images": (
        *OPENAI_LIKE,
        Row("never serves the link", "[[answer=url]] [[at=link hang]]", LATE, "out-of-time yes", 1),
    ),
    "turbotext": (
        Row("never takes the photo", "[[hang]]", LATE, "out-of-time maybe", 0),
        Row("stops in the middle of the number", "[[hang-body]]", LATE, "out-of-time maybe", 1),
        Row("is overloaded all the time", "[[status=503]]", "502 unavailable", "unavailable no", 0),
        Row("never has a result", "[[webhook=never pending-forever]]", LATE, "out-of-time yes", 1),
        Row("never answers a poll", "[[webhook=never]] [[at=result hang]]", LATE, "out-of-time yes", 1),
        Row("loses the number", "[[webhook=never lost]]", LATE, "out-of-time yes", 1),
        Row("never serves the picture", "[[at=link hang]]", LATE, "out-of-time yes", 1),
        Row("calls back with a wrong number", "[[webhook=wrong-id pending-forever]]", LATE, "out-of-time yes", 1),
    ),
}
CASES = [(provider, number, row) for provider, rows in TABLE.items() for number, row in enumerate(rows, 1)]


@pytest.fixture(scope="module")
def fakes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, FakeProcess]]:
    with fake_processes(tmp_path_factory.mktemp("fakes"), *TABLE) as running:
        yield running


@pytest.fixture(scope="module")
def place(fakes: dict[str, FakeProcess], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zoo]:
    providers = {name: {"late_s": 0, "concurrency": 20} for name in TABLE}
    slots = slots_of(TABLE)
    with zoo(tmp_path_factory.mktemp("zoo"), fakes, slots, providers=providers, budget=BUDGET) as running:
        yield running


@pytest.fixture(scope="module")
def seen(place: Zoo) -> dict[str, Seen]:
    return play(place, TABLE)


@pytest.mark.parametrize(("provider", "number", "row"), CASES, ids=[f"{c[0]} {c[2].says}" for c in CASES])
def test_a_service(place: Zoo, seen: dict[str, Seen], provider: str, number: int, row: Row) -> None:
    check(place, provider, number, row, seen[f"{provider} {row.says}"])


def test_every_connection_is_closed_when_its_time_is_over(place: Zoo, seen: dict[str, Seen]) -> None:
    for provider in TABLE:
        fake = place.fakes[provider]
        fake.wait_until_open(working=0)
        hung = [call["ended"] for call in fake.calls() if "hang]]" in call["prompt"] and "at=" not in call["prompt"]]
        assert hung
        assert set(hung) == {"abandoned"}, provider
