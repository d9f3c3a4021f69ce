"""The style effect: photographic and artistic looks, chosen by the words of a prompt."""

from boothd.providers.studio.looks.catalogue import DEFAULT, LOOKS, choose
from boothd.providers.studio.looks.look import Check, Image, Look

__all__ = ["DEFAULT", "LOOKS", "Check", "Image", "Look", "choose"]
