"""What can be set for Turbotext: the account's file, and a slot's own fields. Source: facts/providers.md §5."""

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from boothd.base.guard import DEFAULT_PORTS, Guard
from boothd.providers.interfaces import CloudSettings, Frozen, Options

MOST_NEGATIVE_WORDS = 80
_NAME = r"^\w*$"


class TurbotextOptions(Options):
    """A slot's own fields; what is left out is left to Turbotext."""

    strength: int | None = Field(None, ge=0, le=80, description="how far the picture may leave the photo (prompt)")
    seed: int | None = Field(None, ge=1, le=10**10, description="the same seed, the same chance (prompt)")
    scale: float | None = Field(None, ge=0.1, le=20, description="how closely the prompt is followed (prompt)")
    negative_prompt: str = Field("", description="what must not be seen, at most 80 words (prompt)")
    original_language: str = Field("", pattern=r"^([a-z]{2})?$", description="the prompt's language: ru, en (prompt)")
    face_restore: bool | None = Field(None, description="make the face sharper afterwards (face swap)")

    @field_validator("negative_prompt")
    @classmethod
    def _not_too_long(cls, text: str) -> str:
        if len(text.split()) > MOST_NEGATIVE_WORDS:
            raise ValueError(f"has more than {MOST_NEGATIVE_WORDS} words; Turbotext takes no more")
        return text


class ReplaceObject(Frozen):
    """How “replace object” is called: no document tells, so it is configuration."""

    method: str = Field(
        "",
        pattern=_NAME,
        description="the method's name as your account lists it (see: `boothd models turbotext`); it is in no document. "
        "Without it the effect “replace object” is refused",
    )
    photo_field: str = Field("url", pattern=r"^\w+$", description="the field for the link to the guest's photo")
    prompt_field: str = Field("content", pattern=_NAME, description="the field for the prompt; empty: none is sent")
    reference_fields: tuple[str, ...] = Field(
        (), description="the fields for links to the slot's reference pictures, in their order; a mask is one of them"
    )
    fields: dict[str, str] = Field(default_factory=dict, description="further fields, sent as they stand here")


class TurbotextSettings(CloudSettings):
    """`etc/providers/turbotext.yaml`."""

    base_url: str = Field(
        "https://www.turbotext.ru/api_ai",
        min_length=1,
        description="with www: a redirect from the name without it loses the request",
    )
    concurrency: int = Field(4, ge=1, le=10_000, description="photos worked on at the same time")
    poll_s: float = Field(2.0, gt=0, le=60, description="seconds between two questions whether a picture is ready")
    webhook: bool = Field(True, description="also let Turbotext call when a picture is ready")
    user_id: int | None = Field(None, ge=1, description="the field user_id of the prompt method")
    result_hosts: tuple[str, ...] = Field(
        ("www.turbotext.ru", "turbotext.ru"), description="hosts besides base_url's that pictures are fetched from"
    )
    result_private: bool = Field(
        False, description="pictures may come from this network: for the sandbox, or a server of your own"
    )
    replace_object: ReplaceObject = Field(
        default_factory=ReplaceObject, description="how “replace object” is called; no document tells its names"
    )

    @model_validator(mode="after")
    def _hosts_are_hosts(self) -> Self:
        result_guard(self)
        return self


def result_guard(settings: TurbotextSettings) -> Guard:
    """Where pictures may be fetched from. Raises ValueError for a host that could never match."""
    base = urlsplit(settings.base_url)
    ports = {*DEFAULT_PORTS.values(), base.port or DEFAULT_PORTS[base.scheme]}
    hosts = tuple(dict.fromkeys((*settings.result_hosts, base.hostname or "")))
    return Guard(hosts, frozenset(DEFAULT_PORTS), frozenset(ports), private=settings.result_private)
