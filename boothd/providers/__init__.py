"""The registry: every provider by name, ours and those that other packages bring.

Another package registers its provider by the entry point group `boothd.providers`:

    [options.entry_points]
    boothd.providers =
        myprovider = mypackage.module:MyProvider
"""

from importlib import import_module
from importlib.metadata import entry_points

from boothd.providers.interfaces import Provider

__all__ = ["GROUP", "provider_names", "provider_type"]

GROUP = "boothd.providers"

# Named, not imported: a provider that nobody uses costs nothing.
_OWN = {
    "turbotext": "boothd.providers.turbotext:Turbotext",
    "deepseek": "boothd.providers.deepseek:Deepseek",
    "gemini": "boothd.providers.gemini:Gemini",
    "studio": "boothd.providers.studio:Studio",
    "openai-images": "boothd.providers.openai_images:OpenAIImages",
}


def provider_names() -> list[str]:
    """All registered names: ours first, then other packages', each once."""
    return [*_OWN, *sorted({e.name for e in entry_points(group=GROUP)} - _OWN.keys())]


def provider_type(name: str) -> type[Provider]:
    """The class registered as `name`. Raises LookupError; what the import raises passes through."""
    if name in _OWN:
        module, _, attribute = _OWN[name].partition(":")
        found: type[Provider] = getattr(import_module(module), attribute)
        return found
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            loaded: type[Provider] = entry.load()
            return loaded
    raise LookupError(f"no provider is called {name!r}; there are {', '.join(provider_names())}")
