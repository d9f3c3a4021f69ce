"""What a fake can be told, as text for people."""

from boothd.sandbox.fakes.server import Fake


def help_text(kind: type[Fake], *, option: str = "") -> str:
    """The words for prompts, then the settings. option: stands before each setting, as on a command line."""
    lines = [f"[[{word}]]".ljust(32) + " " + meaning for word, meaning in kind.words.items()]
    fields = kind.Settings.model_fields.items()
    lines += ["", *(f"{option}{n}={field.default}".ljust(32) + " " + (field.description or "") for n, field in fields)]
    return "\n".join(lines)
