"""The scripted service: a small HTTP server of its own process that does what the prompt tells it.

    python -m tests.support.scripted.server --ledger FILE

prints its port. A photo is posted to /edit?prompt=…&model=…; the words of both, in any order, are the script:

    ok                      a JPEG in which the photo's sha256 is drawn (`pictures.answer`); so does any prose
    delay=0.3               answers after so many seconds
    hold                    answers after POST /release
    hang                    never answers
    status=429 retry-after=2    an error; uncharged, or with `charged` charged
    fail-first=2            the first two calls for this photo get `status` (503 unless given), then the rest holds
    drop                    closes the connection instead of answering
    charge-first            is charged when the photo has come, not right before the answer
    charge-then-drop        both
    html, empty, gif, bomb, truncated, huge (21 MB)    200 with something that is no picture; charged
    png                     a PNG
    short                   closes the connection in the middle of the answer's body; charged
    hang-body               stops in the middle of the answer's body; charged
    size=512000             an answer of about so many bytes, 15 MB at most
    cost=0.04               says what it cost
    queue=3                 202 with a number, charged; three polls of GET /queue/<number> say "not yet", then the answer
    queue-hold              like it; "not yet" until POST /release
    queue-lost              like it; but the number is not known when it is polled
    poll-after=0.05         how long it asks to wait between two polls

A word with "=" that is not in this list is refused with 400. For the tests:

    GET /ledger             every charge: [{"number", "photo", "at", "prompt", "model"}]; also in FILE, a line each
    GET /calls              every photo that came whole, charged or not, in the same form, with "key" and "size_bytes"
    GET /open               {"connections": …, "working": …}: connections besides the asking one, and photos in work
    POST /release           lets everything on hold go on, and everything that comes later
    GET /open?working=0, /open?connections=0, /calls?count=3, /ledger?count=1     wait until it is so
"""

import argparse
import hashlib
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web import http

from tests.support.scripted import pictures
from tests.support.scripted.script import Script, Unknown
from tests.support.scripted.service import Photo, Service


class Digest:
    """Takes a request's body: all that is wanted of a photo is its sha256."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    def write(self, data: bytes) -> None:
        self._hash.update(data)
        self.size_bytes += len(data)

    def tell(self) -> int:
        return self.size_bytes

    def seek(self, *_: int) -> None:
        pass

    def read(self, *_: int) -> bytes:
        return b""

    def close(self) -> None:
        pass

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


class Call(http.Request):
    """One request; `service` is set by `main`."""

    service: Service
    alive = True

    @property
    def _wire(self) -> Any:
        """Itself; what Twisted left untyped is called through it."""
        return self

    def gotLength(self, length: int | None) -> None:
        self.digest = Digest()
        self.content: Any = self.digest

    def process(self) -> None:
        uri: bytes = self.uri
        path, _, query = uri.decode().partition("?")
        said = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
        method = self.method.decode()
        if (method, path) == ("POST", "/edit"):
            self._edit(said)
        elif method == "GET" and path.startswith("/queue/"):
            self._poll(path.removeprefix("/queue/"))
        elif (method, path) == ("POST", "/release"):
            self.service.release()
            self._say(200, {})
        elif method == "GET" and path in {"/ledger", "/calls", "/open"}:
            self._tell(path, said)
        else:
            self._say(404, {"message": "there is no such address"})

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.alive = False
        lost: Any = super().connectionLost
        lost(reason)

    # the tests' questions

    def _tell(self, path: str, said: dict[str, str]) -> None:
        service = self.service
        lists = {"/ledger": service.charges, "/calls": service.calls}

        def opened() -> dict[str, int]:
            return {"connections": service.connections - 1, "working": service.working}

        def so() -> bool:
            if path in lists:
                return len(lists[path]) >= int(said.get("count", 0))
            return all(opened()[name] == int(value) for name, value in said.items())

        def say() -> None:
            if self.alive:
                self._say(200, lists.get(path, opened()))

        if so():
            say()
        else:
            service.asking.append((so, say))

    # the service

    def _edit(self, said: dict[str, str]) -> None:
        service = self.service
        key = (self._wire.getHeader("authorization") or "").removeprefix("Bearer ")
        prompt, model = said.get("prompt", ""), said.get("model", "")
        photo = Photo(self.digest.sha256, self.digest.size_bytes, prompt, model, key)
        service.calls.append(
            {
                "number": len(service.calls) + 1,
                "photo": photo.sha256,
                "at": datetime.now(UTC).isoformat(),
                "prompt": prompt,
                "model": model,
                "key": key,
                "size_bytes": photo.size_bytes,
            }
        )
        service.working += 1
        self._wire.notifyFinish().addBoth(self._over)
        service.changed()
        try:
            script = Script.of(f"{prompt} {model}")
        except Unknown as unknown:
            self._say(400, {"message": f"the script has an unknown word: {unknown}"})
            return
        if "charge-first" in script or "charge-then-drop" in script:
            service.charge(photo)
        if "hold" in script and not service.released:
            service.held.append(lambda: self._answer(photo, script))
        elif "delay" in script:
            service.reactor.callLater(script.number("delay"), self._answer, photo, script)
        elif "hang" not in script:
            self._answer(photo, script)

    def _over(self, _: object) -> None:
        self.alive = False
        self.service.working -= 1
        self.service.changed()

    def _answer(self, photo: Photo, script: Script) -> None:
        if not self.alive:
            return
        service, failing = self.service, (photo.sha256, f"{photo.prompt}\n{photo.model}")
        fails = "status" in script
        if "fail-first" in script:
            service.failed[failing] += 1
            fails = service.failed[failing] <= script.number("fail-first")
        if fails:
            self._fail(photo, script)
        elif "drop" in script or "charge-then-drop" in script:
            self.channel.loseConnection()
        elif any(word in script for word in ("queue", "queue-hold", "queue-lost")):
            self._charge(photo, script)
            number = f"q{len(service.queue) + 1}"
            service.queue[number] = (photo, script, int(script.number("queue")))
            self._say(202, {"queue number": number, "poll after": script.number("poll-after", 0.05)})
        else:
            self._charge(photo, script)
            self._picture(photo, script)

    def _charge(self, photo: Photo, script: Script) -> None:
        if "charge-first" not in script:
            self.service.charge(photo)

    def _fail(self, photo: Photo, script: Script) -> None:
        charged = "charged" in script or "charge-first" in script
        if charged:
            self._charge(photo, script)
        if "retry-after" in script:
            self._wire.setHeader("retry-after", script.numbers["retry-after"])
        status = int(script.number("status", 503))
        self._say(status, {"message": f"scripted {status}", "charged": "yes" if charged else "no"})

    def _poll(self, number: str) -> None:
        service = self.service
        photo, script, left = service.queue.get(number, (None, None, 0))
        if photo is None or script is None or "queue-lost" in script:
            self._say(404, {"message": "there is no such number", "charged": "yes"})
        elif left > 0 or ("queue-hold" in script and not service.released):
            service.queue[number] = (photo, script, left - 1)
            self._say(202, {"queue number": number, "poll after": script.number("poll-after", 0.05)})
        else:
            self._picture(photo, script)

    def _picture(self, photo: Photo, script: Script) -> None:
        if "cost" in script:
            self._wire.setHeader("x-cost", script.numbers["cost"])
        body, media_type = _body(photo, script)
        sent = body[: len(body) // 2] if "short" in script or "hang-body" in script else body
        self._wire.setHeader("content-type", media_type)
        self._wire.setHeader("content-length", str(len(body)))
        self._wire.write(sent)
        if "short" in script:
            self.channel.loseConnection()
        elif "hang-body" not in script:
            self._wire.finish()
        self.service.changed()

    def _say(self, status: int, said: object) -> None:
        body = json.dumps(said).encode()
        self._wire.setResponseCode(status)
        self._wire.setHeader("content-type", "application/json")
        self._wire.setHeader("content-length", str(len(body)))
        self._wire.write(body)
        self._wire.finish()


def _body(photo: Photo, script: Script) -> tuple[bytes, str]:
    picture = pictures.answer(photo.sha256, int(script.number("size")))
    bodies = {
        "html": (b"<!DOCTYPE html><title>Welcome</title><p>Log in to this WLAN.", "text/html"),
        "empty": (b"", "image/jpeg"),
        "gif": (b"GIF89a" + bytes(64), "image/gif"),
        "bomb": (pictures.bomb(), "image/png"),
        "huge": (picture + bytes(21_000_000), "image/jpeg") if "huge" in script else (b"", ""),
        "truncated": (picture[: len(picture) // 2], "image/jpeg"),
    }
    for word, body in bodies.items():
        if word in script:
            return body
    return (pictures.png_answer(photo.sha256), "image/png") if "png" in script else (picture, "image/jpeg")


class Site(http.HTTPFactory):
    """Counts the open connections."""

    service: Service

    def buildProtocol(self, addr: Any) -> Any:
        channel: Any = super().buildProtocol(addr)
        service, made, lost = self.service, channel.connectionMade, channel.connectionLost

        def connection_made() -> None:
            service.connections += 1
            made()
            service.changed()

        def connection_lost(reason: Failure = connectionDone) -> None:
            lost(reason)
            service.connections -= 1
            service.changed()

        channel.connectionMade, channel.connectionLost = connection_made, connection_lost
        channel.requestFactory = type("ServiceCall", (Call,), {"service": service})
        return channel


def main() -> None:
    from twisted.internet import reactor as installed  # noqa: TID251 (this is a program of its own)

    reactor: Any = installed
    options = argparse.ArgumentParser()
    options.add_argument("--ledger", type=Path, required=True)
    options.add_argument("--port", type=int, default=0)
    said = options.parse_args()
    site = Site()
    site.service = Service(said.ledger, reactor)
    port = reactor.listenTCP(said.port, site, backlog=1024, interface="127.0.0.1")
    sys.stdout.write(f"{port.getHost().port}\n")
    sys.stdout.flush()
    reactor.run()


if __name__ == "__main__":
    main()
