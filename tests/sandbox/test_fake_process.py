"""A fake as a process of its own."""

import base64
import json
import subprocess
import sys
import urllib.request

from tests.sandbox.fakes_support import NET_S, photo

MODEL = "gemini-3-pro-image"


def test_a_fake_that_has_worked_ends_when_it_is_told_to() -> None:
    command = [sys.executable, "-m", "boothd.sandbox.fakes", "gemini", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            parts = [
                {"inlineData": {"mimeType": "image/jpeg", "data": base64.b64encode(photo()).decode()}},
                {"text": "a pirate"},
            ]
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/v1/models/{MODEL}:generateContent",
                json.dumps({"contents": [{"role": "user", "parts": parts}]}).encode(),
                {"Content-Type": "application/json", "x-goog-api-key": "good-1"},
            )
            with urllib.request.urlopen(request) as reply:
                assert json.load(reply)["candidates"]
            process.terminate()
            assert process.wait(NET_S) == 0
        finally:
            process.kill()
