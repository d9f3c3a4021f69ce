"""Where the files lie that boothd brings along beside its code."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def assets(name: str) -> Path:
    """The folder `name` ("etc", "web"): inside the package where a wheel is installed, beside it in a checkout.

    Raises FileNotFoundError."""
    for folder in (_PACKAGE / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"boothd's own {name}/ is neither in {_PACKAGE} nor in {_PACKAGE.parent}")
