"""`boothd sandbox`: fake services on local ports, to rehearse an event without keys and money."""

import argparse
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from boothd.base import logs
from boothd.cli.failed import Failed
from boothd.cli.homes import find_home, is_home
from boothd.cli.init import NewHome, make_home
from boothd.cli.link import upload_link
from boothd.cli.port import free_port
from boothd.cli.reactor import asyncio_reactor
from boothd.cli.reactor import run as run_reactor
from boothd.cli.rehearsal import KEY, listen_at, own_address, settings_for, show_person, wire
from boothd.cli.takings import Takings
from boothd.cli.undo import nothing_left_on_failure
from boothd.config import Home
from boothd.sandbox.fakes import FAKES, Running, start_fake
from boothd.sandbox.fakes.words import help_text

ORDER = ("gemini", "turbotext", "deepseek", "openai-images")
"""By port."""
PORT = 9101
POSTER = "poster.jpg"
"""A reference picture with a person, for the face-swap slots of a new home."""
_DAEMON_PORT = 8000


def run(args: argparse.Namespace) -> int:
    if args.words:
        print(help_text(FAKES[args.words]))
        return 0
    if args.new is not None and is_home(args.new):
        raise Failed(f"{args.new} is a home already; to use it, say --home instead of --new")
    home = None if args.home is None else find_home(args.home)
    logs.begin(sys.stderr, "warn")
    takings = Takings()
    if home is not None:
        _refuse_taken(args.port)
    try:
        run_reactor(asyncio_reactor(), lambda: _serve(args, home, takings))
    except KeyboardInterrupt:
        pass  # that is how it ends
    except OSError as error:
        raise Failed(f"{error.filename or args.new or args.home}: {error.strerror or error}") from None
    print("\n" + takings.sum())
    return 0


def _refuse_taken(first: int) -> None:
    """A home is not wired to other ports than was said: what has them may be the sandbox that it is wired to. Raises Failed."""
    for port in range(first, first + len(ORDER)) if first else ():
        if free_port(port) != port:
            raise Failed(
                f"port {port} is taken (by another boothd sandbox?), so nothing was changed; end what listens there, "
                "or say --port N for the ports from N on"
            )


async def _serve(args: argparse.Namespace, home: Home | None, takings: Takings) -> None:
    """Until it is cancelled. What blocks here does so before anybody is served."""
    settings = {"latency_s": args.latency[0], "spread_s": args.latency[1], "failure_share": args.failures}
    running: dict[str, Running] = {}
    try:
        for place, name in enumerate(ORDER):
            wanted = args.port + place if args.port else 0
            port = free_port(wanted) if wanted else 0
            running[name] = start_fake(asyncio_reactor(), FAKES[name], port=port, settings=settings)
            if port != wanted:
                print(f"Port {wanted} is taken; {name} is at port {port} instead.")
        urls = {name: each.url for name, each in running.items()}
        if args.new is not None:
            with nothing_left_on_failure(args.new.absolute()):
                made = _new(args.new.absolute(), urls)
            print(made)
        elif home is not None:
            print(_wired(home, urls, force=args.force))
        else:
            print(_configuration(urls))
        print(_trouble(urls), flush=True)
        await takings.show({name: each.fake for name, each in running.items()})
    finally:
        for each in running.values():
            await each.stop()


def _new(path: Path, urls: Mapping[str, str]) -> str:
    """Make a home and wire it."""
    from boothd.sandbox.guest import write_guest
    from boothd.sandbox.poster import write_poster

    made: NewHome = make_home(path)
    port = free_port(_DAEMON_PORT)
    if port != _DAEMON_PORT:
        listen_at(made.home, port)
    wire(made.home, urls, force=True)
    guest = write_guest(path / "guest.jpg")
    write_poster(made.home.library / "references" / POSTER, guest)
    show_person(made.home, urls, POSTER)
    rows = {"operator": made.operator, "its password": made.operator_password, "upload password": made.upload_password}
    said = "\n".join(f"  {name:<16} {value}" for name, value in rows.items())
    return f"Made {path} for rehearsals; its services are the fakes below.\n\n{said}\n\n{_to_try(made.home)}"


def _wired(home: Home, urls: Mapping[str, str], *, force: bool) -> str:
    written = "\n".join(f"  {file}" for file in wire(home, urls, force=force))
    return f"Written, so that {home.path} uses the fakes:\n{written}\n\n{_to_try(home)}"


def _to_try(home: Home) -> str:
    links = {name: link for name in ORDER for link in _links(home, name)[:1]}
    place = shlex.quote(str(home.path))
    photo = shlex.quote(str(home.path / "guest.jpg")) if (home.path / "guest.jpg").exists() else "PHOTO"
    lines = ["In other terminals:", f"  boothd up -H {place}", f"  boothd check -H {place}"]
    lines += [f"  boothd send -H {place} {photo} {link}" for link in links.values()]
    return "\n".join([*lines, f"All links are on the page, {own_address(home)}/"])


def _links(home: Home, provider: str) -> list[str]:
    found = []
    for number in range(1, 21):
        try:
            found.append(upload_link(home, provider, number))
        except Failed:
            continue
    return found


def _configuration(urls: Mapping[str, str]) -> str:
    """What a home needs, file by file."""
    keys = {"keys": dict.fromkeys(urls, KEY)}
    files: dict[str, dict[str, Any]] = {"secrets.yaml": keys}
    files |= {f"providers/{name}.yaml": settings_for(name, url) for name, url in urls.items()}
    files["boothd.yaml"] = {"public_url": f"http://127.0.0.1:{_DAEMON_PORT}"}
    texts = [f"# etc/{file}\n{yaml.safe_dump(content, sort_keys=False)}" for file, content in files.items()]
    head = "A home uses these fakes with this in its files (`boothd sandbox --new DIR` makes such a home):"
    return "\n".join([head, "", *texts])


def _trouble(urls: Mapping[str, str]) -> str:
    wide = max(map(len, urls))
    said = "\n".join(f"  {name:<{wide}}  {url}" for name, url in urls.items())
    one = f"{urls['gemini']}/__sandbox__"
    return f"""
{said}

Trouble, while it runs:
  curl -X POST '{one}/outage?mode=hang&seconds=60'      or mode=error, mode=drop
  curl -X POST '{one}/refuse?seconds=60'                nobody listens
  curl -d '{{"latency_s": 30}}' {one}/settings          everything takes so long
  boothd sandbox --words gemini                         what a slot's prompt can ask for: [[status=503 fail-first=2]]

Paid calls (Ctrl-C ends the sandbox):"""
