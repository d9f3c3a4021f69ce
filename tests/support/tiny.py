"""Installs the package in `tiny_provider/` with pip, as an operator would; its provider is `tiny`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parent / "tiny_provider"


def install_tiny(folder: Path) -> str:
    """Install into `folder`, which must not exist; returns the PYTHONPATH with which a child finds it. Blocks for seconds."""
    source = folder.with_name(f"{folder.name}-source")
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__"))  # a build leaves its traces there
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--target", str(folder)]
    subprocess.run([*pip, *options, str(source)], check=True, timeout=120)
    above = os.environ.get("PYTHONPATH")
    return str(folder) + (os.pathsep + above if above else "")
