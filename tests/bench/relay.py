"""The bare relay that boothd is measured against: parses the same multipart upload while it comes, calls the same service
by treq, decodes the answer once in a thread, sends it on. It keeps nothing, promises nothing, checks nothing.

    python -m tests.bench.relay SERVICE_URL        prints its port
"""

import io
import sys
from typing import Any, cast


def main(url: str) -> None:
    from twisted.internet import asyncioreactor

    asyncioreactor.install()
    import treq.client
    from multipart import MultipartSegment, PushMultipartParser, parse_options_header
    from PIL import Image
    from twisted.internet import reactor as _reactor  # noqa: TID251
    from twisted.internet.defer import Deferred
    from twisted.internet.threads import deferToThread
    from twisted.web import server
    from twisted.web.client import Agent, HTTPConnectionPool
    from twisted.web.iweb import IAgent

    reactor: Any = _reactor
    http = treq.client.HTTPClient(cast(IAgent, Agent(reactor, pool=HTTPConnectionPool(reactor))))

    def decode(data: bytes) -> None:
        Image.open(io.BytesIO(data)).load()

    class Request(server.Request):
        def gotLength(self, length: int | None) -> None:
            self.content = io.BytesIO()
            _, options = parse_options_header(self.getHeader("content-type") or "")
            self.parser = PushMultipartParser(options["boundary"], content_length=length)
            self.pieces: list[bytes] = []
            self.in_file = False

        def handleContentChunk(self, data: bytes) -> None:
            for event in self.parser.parse(data):
                if isinstance(event, MultipartSegment):
                    self.in_file = event.filename is not None
                elif event and self.in_file:
                    self.pieces.append(bytes(event))

        def process(self) -> None:
            Deferred.fromCoroutine(self.relay())

        async def relay(self) -> None:
            response = await http.post(url, data=b"".join(self.pieces))
            self.pieces.clear()
            answer = await response.content()
            await deferToThread(decode, answer)
            self.setHeader(b"content-type", b"image/jpeg")
            self.setHeader(b"content-length", str(len(answer)).encode())
            self.write(answer)
            self.finish()

    site = server.Site(Any, requestFactory=Request)
    site.log = lambda _: None  # type: ignore[method-assign,assignment]
    port = reactor.listenTCP(0, site, backlog=4096, interface="127.0.0.1")
    print(port.getHost().port, flush=True)
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1])
