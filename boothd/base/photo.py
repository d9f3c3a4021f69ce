"""A photo as it lies on disk."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture file that has been checked.

    path: the file. sha256: hex digest of its bytes. size_bytes. width, height: pixels, as stored (before orientation).
    format: "JPEG", "PNG", "WEBP" or "HEIF", by its magic bytes. orientation: EXIF 1 to 8; 1 means upright."""

    path: Path
    sha256: str
    size_bytes: int
    width: int
    height: int
    format: str
    orientation: int = 1
