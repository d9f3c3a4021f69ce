"""The AI service of the bench, a process of its own: takes a photo, answers the same 500 KiB JPEG at once or when told.

python -m tests.bench.service        prints its port
POST /edit          answers at once
POST /hold          answers after POST /release
"""

import io
from typing import Any

import numpy as np
from PIL import Image

ANSWER_BYTES = 500 << 10


def make_answer() -> bytes:
    """A JPEG of 2.4 megapixels and almost 500 KiB."""
    rng = np.random.default_rng(1)
    small = rng.integers(0, 255, (150, 200, 3), dtype=np.uint8)
    image = Image.fromarray(small).resize((1800, 1350), Image.Resampling.BICUBIC)
    for quality in range(95, 20, -1):
        out = io.BytesIO()
        image.save(out, "JPEG", quality=quality)
        if out.tell() <= ANSWER_BYTES:
            return out.getvalue()
    raise AssertionError("no quality gives so small an answer")


def main() -> None:
    from twisted.internet import asyncioreactor

    asyncioreactor.install()
    from twisted.internet import reactor as _reactor  # noqa: TID251
    from twisted.web import http

    reactor: Any = _reactor
    answer = make_answer()
    held: list[Any] = []

    class Request(http.Request):
        def handleContentChunk(self, data: bytes) -> None:
            pass  # the photo is not kept

        def process(self) -> None:
            if self.path == b"/hold":
                held.append(self)
                self.notifyFinish().addErrback(lambda _: held.remove(self) if self in held else None)
                return
            if self.path == b"/held":
                said = str(len(held)).encode()
                self.setHeader(b"content-length", str(len(said)).encode())
                self.write(said)
                self.finish()
                return
            if self.path == b"/release":
                waiting, held[:] = list(held), []
                for request in waiting:
                    request.reply()
                self.setHeader(b"content-length", b"0")
                self.finish()
                return
            self.reply()

        def reply(self) -> None:
            self.setHeader(b"content-type", b"image/jpeg")
            self.setHeader(b"content-length", str(len(answer)).encode())
            self.write(answer)
            self.finish()

    class Channel(http.HTTPChannel):
        requestFactory = Request

    factory = http.HTTPFactory(reactor=reactor)
    factory.protocol = Channel  # type: ignore[assignment]
    factory.log = lambda _: None  # type: ignore[method-assign,assignment]
    port = reactor.listenTCP(0, factory, backlog=4096, interface="127.0.0.1")
    print(port.getHost().port, flush=True)
    reactor.run()


if __name__ == "__main__":
    main()
