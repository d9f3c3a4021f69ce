"""Answers that arrive otherwise than they should."""

import html
from dataclasses import replace

from boothd.sandbox.fakes.script import Words
from boothd.sandbox.fakes.wire import Answer, Manner

LOGIN_PAGE = b"<!DOCTYPE html><title>Welcome</title><p>Log in to this WLAN."


def spoiled(answer: Answer, words: Words) -> Answer:
    """An answer as the script wants it to arrive."""
    if "html" in words:
        answer = replace(answer, body=LOGIN_PAGE, media_type="text/html; charset=utf-8")
    elif "bad-json" in words:
        answer = replace(answer, body=answer.body[: max(1, len(answer.body) * 2 // 3)])
    elif "empty-body" in words:
        answer = replace(answer, body=b"")
    manner = Manner.SHORT if "short" in words else Manner.STOPS if "hang-body" in words else answer.manner
    return replace(answer, manner=manner, over_s=words.number("slow-body", answer.over_s))


def error_page(status: int, message: str) -> Answer:
    """What a proxy in front of the service would say."""
    body = f"<html><head><title>{status}</title></head><body><h1>{html.escape(message)}</h1></body></html>"
    return Answer(body.encode(), status, "text/html")
