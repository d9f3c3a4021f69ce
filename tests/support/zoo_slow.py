"""Rows that take seconds: all of them are played at the same time, each by the script in its own prompt."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.support.zoo import Row, Seen, Zoo, check_filed, check_money

BUDGET = {"total": 6, "reserve": 0.5, "starts": "accepted"}
"""Of a daemon whose rows take until their budget ends."""


def slots_of(table: Mapping[str, Sequence[Row]], **more: Any) -> dict[str, dict[int, dict[str, Any]]]:
    """A slot for each row, its script in the prompt."""
    return {
        provider: {
            number: {"effect": "prompt", "prompt": f"row {number} {row.script}", "paid_attempts": 1, **more}
            for number, row in enumerate(rows, 1)
        }
        for provider, rows in table.items()
    }


def play(place: Zoo, table: Mapping[str, Sequence[Row]]) -> dict[str, Seen]:
    """Send a photo for every row at once, and wait until all are filed. By provider and what the row says."""
    with ThreadPoolExecutor(sum(map(len, table.values()))) as pool:
        sent = {
            f"{provider} {row.says}": pool.submit(place.send, provider, number, place.photo())
            for provider, rows in table.items()
            for number, row in enumerate(rows, 1)
        }
    return {said: future.result() for said, future in sent.items()}


def check(place: Zoo, provider: str, number: int, row: Row, seen: Seen) -> None:
    """As `Zoo.check`; the attempts may be any number of those that the row names."""
    told = f"{seen.answer.status} {seen.answer.code}"
    assert (told, set(seen.attempts(provider).split(", "))) == (row.reply, set(row.attempts.split(", ")))
    check_filed(seen, provider, guest=row.guest)
    mine = [entry for entry in place.fakes[provider].charges if f"row {number} " in entry["prompt"]]
    assert len(mine) == row.charges
    check_money(seen, {provider: row.charges})
