"""Keys that are refused, and services that cannot be reached: for every provider alike."""

import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

import pytest

from tests.support.zoo import PATHS, Zoo, check_filed, check_money, key_of, zoo
from tests.support.zoo_fakes import FakeProcess, fake_processes

NAMES = ("gemini", "openai-images", "turbotext")
SLOTS: Mapping[str, Mapping[int, Mapping[str, Any]]] = {
    **{name: {1: {"effect": "prompt", "prompt": "a pirate"}} for name in NAMES},
    "deepseek": {1: {"effect": "prompt", "prompt": "a pirate", "options": {"renderer": "studio"}}},
}
SHORT = {"total": 3, "reserve": 0.5, "starts": "accepted"}
"""A budget that ends soon: until then a service that cannot be reached is tried again."""
REFUSED = ("bad", "poor", "barred", "busy")
"""How keys begin that the fakes do not accept: unknown, without money, without the right, without room."""


@pytest.fixture(scope="module")
def fakes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, FakeProcess]]:
    with fake_processes(tmp_path_factory.mktemp("fakes"), *SLOTS) as running:
        yield running


@pytest.fixture(scope="module")
def several(fakes: dict[str, FakeProcess], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zoo]:
    """Every provider has four keys that are refused, and then three good ones."""
    keys = {
        name: [*(f"{kind}-{key_of(name)}" for kind in REFUSED), *(key_of(name, number) for number in (7, 8, 9))]
        for name in SLOTS
    }
    with zoo(tmp_path_factory.mktemp("several"), fakes, SLOTS, keys=keys) as running:
        yield running


@pytest.mark.parametrize("provider", sorted(SLOTS))
def test_a_refused_key_hands_over_to_the_next(several: Zoo, provider: str) -> None:
    """Keys that are refused from the beginning; one whose quota ends during the evening; one that is withdrawn."""
    fake, handed_over = several.fakes[provider], f"{provider}: key "
    before = len(fake.charges)

    def send() -> str:
        seen = several.send(provider, 1, several.photo())
        check_filed(seen, provider)
        assert seen.attempts(provider) == ("ok yes, studio ok no" if provider == "deepseek" else "ok yes")
        check_money(seen, {provider: 1})
        return str(fake.charges[-1]["key"])

    several.tell({})
    assert [send(), send()] == ["…0007", "…0007"]
    assert several.daemon.log.count(handed_over) == len(REFUSED), "a key that works is kept"
    several.tell({provider: "[[fail-first=1 status=429]]"})
    assert send() == "…0008"
    several.tell({}, {provider: {"keys": [key_of(provider, 9)]}})
    assert send() == "…0009"
    assert len(fake.charges) - before == 4


@contextmanager
def nobody() -> Iterator[str]:
    """The address of a port that is taken, but on which nobody listens: connections are refused."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


class _Plain(BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(4096)
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


@contextmanager
def no_tls() -> Iterator[str]:
    """An https address behind which nobody speaks TLS."""
    with ThreadingTCPServer(("127.0.0.1", 0), _Plain) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("where", [nobody, no_tls], ids=["nobody", "no-TLS"])
def test_a_service_that_cannot_be_reached_costs_nothing(
    fakes: dict[str, FakeProcess], tmp_path_factory: pytest.TempPathFactory, where: Any
) -> None:
    with where() as url:
        providers = {name: {"base_url": url + PATHS.get(name, "")} for name in SLOTS}
        with (
            zoo(tmp_path_factory.mktemp("zoo"), fakes, SLOTS, providers=providers, budget=SHORT) as place,
            ThreadPoolExecutor(len(SLOTS)) as pool,
        ):
            sent = {name: pool.submit(place.send, name, 1, place.photo()) for name in SLOTS}
            for provider in NAMES:
                seen = sent[provider].result()
                check_filed(seen, provider)
                assert (seen.answer.status, seen.answer.code) == (502, "unavailable")
                assert set(seen.attempts(provider).split(", ")) == {"unavailable no"}
            directed = sent["deepseek"].result()
            check_filed(directed, "deepseek")
            assert directed.attempts("deepseek") == "unavailable no, studio ok no"
