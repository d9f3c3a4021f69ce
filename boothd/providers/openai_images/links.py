"""Where pictures that are answered as links may be fetched."""

from urllib.parse import urlsplit

from boothd.base.guard import DEFAULT_PORTS, Guard, read_host
from boothd.providers.interfaces import NotConfigured
from boothd.providers.openai_images.settings import OpenAIImagesSettings


def guard_of(settings: OpenAIImagesSettings) -> tuple[str, Guard]:
    """The server's own host, and the guard: from there and from the hosts that the operator names.

    Whoever names a loopback or LAN address as the server has said that it may be reached. Raises NotConfigured."""
    parts = urlsplit(settings.base_url)
    try:
        port = parts.port or DEFAULT_PORTS[parts.scheme]
    except ValueError:
        raise NotConfigured(f"base_url has an odd port: {settings.base_url}") from None
    read = read_host(parts.hostname or "")
    if read is None:
        raise NotConfigured(f"base_url has an oddly spelt host: {settings.base_url}")
    host, address = read
    own_private = host == "localhost" or (address is not None and address.is_private)
    schemes = frozenset({"https", parts.scheme})
    ports = frozenset({port, *(DEFAULT_PORTS[scheme] for scheme in schemes)})
    return host, Guard((host, *settings.result_hosts), schemes, ports, private=settings.result_private or own_private)
