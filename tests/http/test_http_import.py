"""Importing http does not bring up a reactor: the CLI hashes passwords, and `Options` chooses the reactor later."""

import subprocess
import sys


def test_importing_http_imports_no_reactor() -> None:
    code = "import sys, boothd.http; print([m for m in ('klein', 'twisted.internet.reactor') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
