"""Putting a file into Gemini's Files API, by its resumable protocol. Source: facts/providers.md §1.5.

google-genai's own upload would hold 8 MiB of the file at a time and read the disk in the reactor's thread; here it is
streamed in one request, a small piece at a time."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from boothd.base.errors import Unavailable, WorkError
from boothd.base.pieces import PiecesBody, file_pieces
from boothd.base.threads import Threads
from boothd.providers.common.ask import ask, read_text
from boothd.providers.gemini.client import Remote, remote
from boothd.providers.gemini.errors import SERVICE, explain
from boothd.providers.gemini.request import Sent
from boothd.providers.gemini.settings import GeminiSettings

PIECE = 128 << 10
"""Bytes that are read at once; one piece is held."""


class Uploader:
    """Uploads with treq's `client`."""

    def __init__(self, client: Any, settings: GeminiSettings, disk: Threads) -> None:
        self._client, self._settings, self._disk = client, settings, disk

    async def upload(self, key: str, sent: Sent, title: str) -> Remote:
        """Upload one file, free of charge. title: its display name.

        Raises BadRequest when the file cannot be read, and what `Edits.edit` raises."""
        address = await self._begin(key, sent, title)
        body = PiecesBody(file_pieces(sent.path, sent.size_bytes, PIECE), sent.size_bytes, self._disk)
        # The address is the permission: the key does not go along.
        headers = {"X-Goog-Upload-Offset": "0", "X-Goog-Upload-Command": "upload, finalize"}
        response = await ask(self._client, "POST", address, headers=headers, data=body, service=SERVICE, paid=False)
        text = await read_text(response)
        if response.code != 200:
            raise _error(response, text, key)
        try:
            return remote(json.loads(text)["file"])
        except (ValueError, TypeError, KeyError) as error:
            raise Unavailable(f"{SERVICE} did not confirm an upload.") from error

    async def _begin(self, key: str, sent: Sent, title: str) -> str:
        base, version = self._settings.base_url, self._settings.api_version
        said = {"file": {"display_name": title, "mime_type": sent.mime, "size_bytes": sent.size_bytes}}
        headers = {
            "x-goog-api-key": key,
            "Content-Type": "application/json",
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            "X-Goog-Upload-Header-Content-Length": str(sent.size_bytes),
            "X-Goog-Upload-Header-Content-Type": sent.mime,
        }
        response = await ask(
            self._client,
            "POST",
            f"{base}/upload/{version}/files",
            headers=headers,
            data=json.dumps(said).encode(),
            service=SERVICE,
            paid=False,
        )
        text = await read_text(response)
        if response.code != 200:
            raise _error(response, text, key)
        addresses = response.headers.getRawHeaders("x-goog-upload-url", [])
        if not addresses:
            raise Unavailable(f"{SERVICE} named no address for an upload.")
        return at_base(addresses[-1], base)


def at_base(address: str, base_url: str) -> str:
    """The upload address at the configured service's own host, as google-genai does it.

    So a proxy's upload goes through the proxy, and no answer can send a guest's photo elsewhere."""
    base, parts = urlsplit(base_url), urlsplit(address)
    return parts._replace(scheme=base.scheme, netloc=base.netloc, fragment="").geturl()


def _error(response: Any, text: str, key: str) -> WorkError:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        body = None
    retry_after = response.headers.getRawHeaders("retry-after", [None])[-1]
    return explain(response.code, body if isinstance(body, Mapping) else None, key=key, retry_after=retry_after)
