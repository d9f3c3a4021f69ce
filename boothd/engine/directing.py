"""The first stage of a flight whose provider only directs: the prompt is written, by which another one makes the picture."""

from collections.abc import Callable
from dataclasses import replace

from boothd.base.budget import Budget
from boothd.base.clock import Clock
from boothd.base.errors import Refused, WorkError
from boothd.engine.attempt import Attempts
from boothd.engine.ledger import Part
from boothd.engine.order import Order
from boothd.engine.services import Service
from boothd.providers.interfaces import Direction, Preset

PATIENCE_S = 12.0
"""How long is waited for a prompt where the provider's settings have no `patience_s`."""
LARGEST_SHARE = 1 / 3
"""Of what is left of the photo's time; the rest is for making the picture."""


class Directing:
    """One flight's one direction.

    director: who writes the prompt. unwanted: whether nobody waits for the picture any more."""

    def __init__(
        self,
        order: Order,
        preset: Preset,
        director: Service,
        attempts: Attempts,
        clock: Clock,
        unwanted: Callable[[], bool],
    ) -> None:
        self._order, self._preset, self._director = order, preset, director
        self._attempts, self._clock, self._unwanted = attempts, clock, unwanted

    async def part(self, renderer: Service, asked: Preset, left_s: float) -> Part:
        """What the renderer is to do. asked: what it makes of the slot's own prompt. left_s: of the photo's time, seconds.

        Raises Refused, for then the photo or its prompt is at fault; DiskFull or SpoolUnhealthy. After any other failure
        it is `asked`, as it is; the journal says so."""
        model = self._director.provider.model(self._preset)
        try:
            direction = await self._direct(left_s)
        except Refused:
            raise
        except WorkError as error:
            await self._attempts.undirected(self._order, self._director.name, error)
        else:
            asked = replace(asked, prompt=direction.prompt, negative=direction.negative)
            model = direction.model or model
        return Part(renderer, asked, self._preset.revision, "render", self._director.name, model)

    async def _direct(self, left_s: float) -> Direction:
        director = self._director
        patience_s = float(getattr(director.settings, "patience_s", PATIENCE_S))
        budget = Budget.of(self._clock, min(patience_s, left_s * LARGEST_SHARE))
        director.check()
        await budget.limit(director.turns.take(self._order.job.slot))
        try:
            director.check()
            with director.breaker.watch(), director.spending.calling():
                part = Part(director, self._preset, self._preset.revision, "direct")
                announced = await self._attempts.announce(self._order, part)
                return await self._attempts.direct(self._order, announced, budget, self._unwanted)
        finally:
            director.turns.give()
