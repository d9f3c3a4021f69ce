"""Faithful fakes of the providers' services, for rehearsals without keys and for the tests.

`start_fake(reactor, FAKES["gemini"])` runs one inside a process; `python -m boothd.sandbox.fakes gemini` runs one as a
process of its own. What a prompt's double square brackets can say is in `script` and in each fake's `words`."""

from boothd.sandbox.fakes.deepseek import DeepSeek
from boothd.sandbox.fakes.gemini import Gemini
from boothd.sandbox.fakes.openai_images import OpenAIImages
from boothd.sandbox.fakes.running import Running, start_fake
from boothd.sandbox.fakes.server import Fake
from boothd.sandbox.fakes.turbotext import Turbotext

FAKES: dict[str, type[Fake]] = {kind.name: kind for kind in (Gemini, OpenAIImages, DeepSeek, Turbotext)}

__all__ = ["FAKES", "Fake", "Running", "start_fake"]
