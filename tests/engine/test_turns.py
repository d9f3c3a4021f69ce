"""Turns at a provider: so many at once, slots taking turns."""

from collections import deque

import pytest_twisted
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.internet.defer import CancelledError, Deferred

from boothd.engine.turns import Turns
from tests.support.engine import begin


def ask(turns: Turns, slot: str, admitted: list[str], name: str = "") -> "Deferred[None]":
    """Queue up; when it is our turn, our name stands in `admitted`."""

    async def take() -> None:
        await turns.take(slot)
        admitted.append(name or slot)

    return begin(take())


@pytest_twisted.ensureDeferred
async def test_as_many_as_there_are_turns_go_at_once() -> None:
    turns, admitted = Turns(2), list[str]()
    for _ in range(3):
        ask(turns, "a", admitted)
    assert (len(admitted), turns.taken, turns.waiting) == (2, 2, 1)
    turns.give()
    assert (len(admitted), turns.taken, turns.waiting) == (3, 2, 0)


@pytest_twisted.ensureDeferred
async def test_a_slot_with_a_hundred_waiting_delays_another_s_next_photo_by_one_turn() -> None:
    turns, admitted = Turns(1), list[str]()
    for _ in range(101):
        ask(turns, "crowded", admitted)
    ask(turns, "quiet", admitted)
    turns.give()
    turns.give()
    assert admitted == ["crowded", "crowded", "quiet"]


@pytest_twisted.ensureDeferred
async def test_slots_take_turns_and_each_keeps_its_order() -> None:
    turns, admitted = Turns(1), list[str]()
    for name in ("a1", "a2", "a3", "b1", "b2", "c1"):
        ask(turns, name[0], admitted, name)
    for _ in range(5):
        turns.give()
    assert admitted == ["a1", "a2", "b1", "c1", "a3", "b2"]


@pytest_twisted.ensureDeferred
async def test_who_leaves_while_waiting_gives_the_place_up() -> None:
    turns, admitted = Turns(1), list[str]()
    ask(turns, "a", admitted, "first")
    leaving = ask(turns, "a", admitted, "leaving")
    ask(turns, "a", admitted, "last")
    left: list[object] = []
    leaving.addErrback(lambda failure: left.append(failure.check(CancelledError)))
    leaving.cancel()
    turns.give()
    assert admitted == ["first", "last"]
    assert left == [CancelledError]
    turns.give()
    assert (turns.taken, turns.waiting) == (0, 0)


@pytest_twisted.ensureDeferred
async def test_more_turns_are_handed_out_at_once_fewer_as_they_come_back() -> None:
    turns, admitted = Turns(1), list[str]()
    for _ in range(6):
        ask(turns, "a", admitted)
    turns.size = 3
    turns.admit()
    assert len(admitted) == 3
    turns.size = 1
    turns.give()
    turns.give()
    assert len(admitted) == 3
    turns.give()
    assert (len(admitted), turns.taken) == (4, 1)


SLOTS = st.sampled_from("abcd")


class TurnsMachine(RuleBasedStateMachine):
    """Against a model: nobody waits while a turn is free, nobody is lost, and slots are served round."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = Turns(2)
        self.admitted: list[str] = []
        self.waiting: dict[str, deque[tuple[str, Deferred[None]]]] = {}
        self.inside = 0
        self.asked = 0
        self.passed_over: dict[str, int] = {}

    @rule(slot=SLOTS)
    def come(self, slot: str) -> None:
        self.asked += 1
        name = f"{slot}{self.asked}"
        asking = ask(self.turns, slot, self.admitted, name)
        asking.addErrback(lambda failure: failure.trap(CancelledError) and None)
        self.waiting.setdefault(slot, deque()).append((name, asking))
        self._note()

    @precondition(lambda self: self.inside > 0)
    @rule()
    def give(self) -> None:
        self.inside -= 1
        self.turns.give()
        self._note()

    @precondition(lambda self: any(self.waiting.values()))
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from(sorted(s for s, queue in self.waiting.items() if queue)))
        one = data.draw(st.sampled_from(list(self.waiting[slot])))
        self.waiting[slot].remove(one)
        one[1].cancel()

    @rule(size=st.integers(1, 4))
    def resize(self, size: int) -> None:
        self.turns.size = size
        self.turns.admit()
        self._note()

    def _note(self) -> None:
        """Those who were admitted were the first of their slots, and no slot was passed over twice by another."""
        for name in self.admitted:
            slot = name[0]
            assert self.waiting[slot].popleft()[0] == name
            self.inside += 1
            self.passed_over.pop(slot, None)
            for other, queue in self.waiting.items():
                if queue and other != slot:
                    self.passed_over[other] = self.passed_over.get(other, 0) + 1
        self.admitted.clear()

    @invariant()
    def nobody_waits_for_a_free_turn(self) -> None:
        waiting = sum(map(len, self.waiting.values()))
        assert (self.turns.taken, self.turns.waiting) == (self.inside, waiting)
        assert not waiting or self.inside >= self.turns.size

    @invariant()
    def a_slot_waits_for_one_turn_of_each_other_at_most(self) -> None:
        for slot, times in self.passed_over.items():
            if not self.waiting.get(slot):
                self.passed_over[slot] = 0
            else:
                assert times <= 3


TurnsMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestTurns = TurnsMachine.TestCase
