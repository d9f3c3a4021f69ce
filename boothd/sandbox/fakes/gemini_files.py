"""The fake Gemini's Files API: resumable upload, get, list, delete. Source: facts/providers.md §1.5."""

import base64
import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from boothd.sandbox.fakes.pages import page_of
from boothd.sandbox.fakes.problems import Problem
from boothd.sandbox.fakes.script import Script
from boothd.sandbox.fakes.server import Fake
from boothd.sandbox.fakes.wire import Answer, Exchange

KEPT = timedelta(hours=48)
MAX_SIZE = 2 << 30
NAME_WORDS = {
    "processing=N": "in a file's display name: PROCESSING at its first N gets",
    "failed": "in a file's display name: its processing fails",
    "no-upload-status": "at=upload: an answer without X-Goog-Upload-Status",
}


@dataclass(slots=True)
class File:
    """An uploaded file. waits: gets for which it is still PROCESSING."""

    name: str
    key: str
    title: str
    media_type: str
    script: Script
    created: datetime
    size: int = 0
    pieces: list[bytes] = field(default_factory=list)
    received: int = 0
    data: bytes = b""
    sha256: str = ""
    waits: int = 0
    failed: bool = False

    @property
    def state(self) -> str:
        return "FAILED" if self.failed else "PROCESSING" if self.waits else "ACTIVE"

    def entry(self, base: str) -> dict[str, Any]:
        """As the API shows it; `sizeBytes` is a string there."""
        digest = base64.b64encode(self.sha256.encode()).decode()
        entry = {
            "name": self.name,
            "mimeType": self.media_type,
            "sizeBytes": str(len(self.data)),
            "createTime": _time(self.created),
            "updateTime": _time(self.created),
            "expirationTime": _time(self.created + KEPT),
            "sha256Hash": digest,
            "uri": f"{base}/{self.name}",
            "state": self.state,
            "source": "UPLOADED",
        }
        return {**entry, "displayName": self.title} if self.title else entry


class Files:
    """The routes and what they keep, in memory. The fake's setting `gone_status` says how a missing file is reported."""

    def __init__(self, fake: Fake) -> None:
        self._fake, self._clock = fake, fake.clock
        self._files: dict[str, File] = {}
        self._uploads: dict[str, File] = {}
        self._made = 0
        version = "/(?P<version>v1|v1beta)"
        fake.route("POST", f"/upload{version}/files", self._upload)
        fake.route("GET", f"{version}/files", self._list)
        fake.route("GET", f"{version}/(?P<name>files/[^/]+)", self._get)
        fake.route("DELETE", f"{version}/(?P<name>files/[^/]+)", self._delete)
        fake.route("POST", "/__sandbox__/expire", self._expire)
        fake.route("GET", "/__sandbox__/files", self._all)

    def find(self, name: str, key: str) -> File:
        """A file that `key` may use. Raises Problem."""
        file = self._files.get(name)
        if file is not None and file.created + KEPT < self._clock.now():
            del self._files[name]
            file = None
        if file is None or (self._fake.settings.files_per_key and file.key != key):
            raise self.gone(name)
        return file

    def gone(self, name: str) -> Problem:
        name = name.removeprefix("files/")
        if self._fake.settings.gone_status == 403:
            return Problem(403, f"You do not have permission to access the File {name} or it may not exist.")
        return Problem(404, f"File files/{name} not found.")

    # --- routes ------------------------------------------------------------------------------------------------------

    async def _upload(self, exchange: Exchange, version: str) -> Answer:
        number = exchange.query.get("upload_id")
        if number is None:
            return await self._start(exchange, version)
        file = self._uploads.get(number)  # this address is the permission: no key is sent
        if file is None:
            raise Problem(404, "The upload does not exist or has ended.")
        words = file.script.at("upload", self._fake.happened, file.title or file.name)
        await self._fake.hinder(words)
        commands = {part.strip() for part in exchange.header("x-goog-upload-command").split(",")}
        if "no-upload-status" in words:
            return Answer(b"", 200)
        if commands == {"query"}:
            return _active(file, {"x-goog-upload-size-received": str(file.received)})
        if commands == {"cancel"}:
            del self._uploads[number]
            return Answer(b"", 200, headers=(("x-goog-upload-status", "cancelled"),))
        if not commands or not commands <= {"upload", "finalize"}:
            raise Problem(400, f"Invalid upload command: {exchange.header('x-goog-upload-command')}")
        if "upload" in commands:
            if exchange.header("x-goog-upload-offset") != str(file.received):
                raise Problem(400, f"The upload's offset is {file.received}.")
            file.pieces.append(await self._fake.tools.pictures.run(exchange.body))
            file.received += exchange.size_bytes
        if "finalize" not in commands:
            return _active(file)
        if file.received != file.size:
            raise Problem(400, f"{file.received} bytes have come, {file.size} were announced.")
        del self._uploads[number]
        await self._fake.tools.pictures.run(_finish, file)
        self._files[file.name] = file
        body = {"file": file.entry(f"{exchange.base}/{version}")}
        return Answer(json.dumps(body).encode(), headers=(("x-goog-upload-status", "final"),))

    async def _start(self, exchange: Exchange, version: str) -> Answer:
        key = self._key(exchange)
        if exchange.header("x-goog-upload-protocol") != "resumable" or "start" not in exchange.header(
            "x-goog-upload-command"
        ):
            raise Problem(400, "The sandbox knows the resumable protocol only.")
        try:
            said = json.loads(exchange.body() or b"{}").get("file", {})
        except (ValueError, AttributeError):
            raise Problem(400, "Invalid JSON payload received.") from None
        size = int(exchange.header("x-goog-upload-header-content-length") or -1)
        if not 0 <= size <= MAX_SIZE:
            raise Problem(400, "The file's size is missing or above 2 GB.")
        media_type = exchange.header("x-goog-upload-header-content-type") or said.get("mime_type") or "image/jpeg"
        title = str(said.get("display_name") or said.get("displayName") or "")
        script = self._fake.script(title)
        words = script.at("", Counter(), "")
        await self._fake.hinder(script.at("start", self._fake.happened, title))
        self._made += 1
        name = f"files/{hashlib.sha256(f'{self._made} {title}'.encode()).hexdigest()[:12]}"
        asked = str(said.get("name") or "")
        if asked in self._files:
            raise Problem(409, f"Requested entity already exists: {asked}")
        file = File(asked or name, key, title, media_type, script, self._clock.now(), size)
        file.waits, file.failed = words.count("processing"), "failed" in words
        number = hashlib.sha256(name.encode()).hexdigest()[:32]
        self._uploads[number] = file
        address = f"{exchange.base}/upload/{version}/files?upload_id={number}&upload_protocol=resumable"
        return Answer(b"", headers=(("x-goog-upload-url", address), ("x-goog-upload-status", "active")))

    async def _list(self, exchange: Exchange, version: str) -> Answer:
        key = self._key(exchange)
        mine = [f for f in self._files.values() if f.key == key or not self._fake.settings.files_per_key]
        entries = [file.entry(f"{exchange.base}/{version}") for file in reversed(mine)]
        return page_of("files", entries, exchange, 10)

    async def _get(self, exchange: Exchange, version: str, name: str) -> Answer:
        file = self.find(name, self._key(exchange))
        await self._fake.hinder(file.script.at("get", self._fake.happened, name))
        entry = file.entry(f"{exchange.base}/{version}")
        file.waits = max(0, file.waits - 1)
        return Answer(json.dumps(entry).encode())

    async def _delete(self, exchange: Exchange, version: str, name: str) -> Answer:
        file = self.find(name, self._key(exchange))
        await self._fake.hinder(file.script.at("delete", self._fake.happened, name))
        self._files.pop(name, None)
        return Answer(b"{}")

    async def _expire(self, exchange: Exchange) -> Answer:
        """Let a file, or all, be gone as after 48 hours."""
        gone = [name for name in self._files if exchange.query.get("name", name) == name]
        for name in gone:
            del self._files[name]
        return Answer(json.dumps({"expired": gone}).encode())

    async def _all(self, exchange: Exchange) -> Answer:
        return Answer(json.dumps([file.entry(exchange.base) for file in self._files.values()]).encode())

    def _key(self, exchange: Exchange) -> str:
        key = exchange.header("x-goog-api-key") or exchange.query.get("key", "")
        self._fake.check_key(key)
        return key


def _active(file: File, more: dict[str, str] | None = None) -> Answer:
    return Answer(b"", headers=(("x-goog-upload-status", "active"), *(more or {}).items()))


def _finish(file: File) -> None:
    file.data, file.pieces = b"".join(file.pieces), []
    file.sha256 = hashlib.sha256(file.data).hexdigest()


def _time(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
