"""Waiting for a turn at a provider: so many at once, the slots taking turns among themselves."""

from collections import OrderedDict, deque

from twisted.internet.defer import Deferred


class Turns:
    """At most `size` turns at once. A slot that has waiters gets every n-th turn, n being how many slots wait.

    So a slot with a hundred photos waiting delays another slot's next photo by one turn."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.taken = 0
        self._waiting: OrderedDict[str, deque[Deferred[None]]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))

    async def take(self, slot: str) -> None:
        """Wait for a turn; `give` must follow. Cancelling the wait gives the place up."""
        if self.taken < self.size and not self._waiting:
            self.taken += 1
            return
        turn: Deferred[None] = Deferred(lambda gone: self._give_up(slot, gone))
        self._waiting.setdefault(slot, deque()).append(turn)
        await turn

    def give(self) -> None:
        """Give a turn back."""
        self.taken -= 1
        self.admit()

    def admit(self) -> None:
        """Hand out what is free; also to be called after `size` grew."""
        while self.taken < self.size and self._waiting:
            slot, queue = self._waiting.popitem(last=False)
            turn = queue.popleft()
            if queue:
                self._waiting[slot] = queue  # behind every other slot
            self.taken += 1
            turn.callback(None)

    def _give_up(self, slot: str, turn: Deferred[None]) -> None:
        queue = self._waiting.get(slot)
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._waiting[slot]
