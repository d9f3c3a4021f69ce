"""What an operator can set: the server's dialect, and a slot's own fields. Source: facts/providers.md §6."""

import re
from typing import Literal

from pydantic import Field, field_validator

from boothd.base.guard import Guard
from boothd.providers.interfaces import CloudSettings, Options

EditStyle = Literal["multipart", "json-images", "input-references"]
ImageField = Literal["auto", "image", "image[]"]
Extra = dict[str, str | int | float | bool]

_SIZE = r"^(auto|[1-9]\d{1,4}x[1-9]\d{1,4})$"
_OURS = frozenset(
    {"prompt", "model", "n", "size", "quality", "output_format", "background", "response_format", "stream"}
    | {"image", "image[]", "images", "input_references", "mask"}
)
_NOT_EXTRA = frozenset({"authorization", "host", "content-type", "content-length", "transfer-encoding", "connection"})


class OpenAIImagesSettings(CloudSettings):
    """`etc/providers/openai-images.yaml`. The defaults are OpenAI's own dialect."""

    base_url: str = Field("https://api.openai.com/v1", description="where the server is, up to and with its /v1")
    model: str = Field("", max_length=300, description="the model, where a slot names none")
    model_needed: bool = Field(True, description="off: the server has one model only, and it need not be named")
    key_needed: bool = Field(True, description="off: a server of yours that wants no API key")
    edit_style: EditStyle = Field(
        "multipart",
        description="how photos are sent: as a form to /images/edits, as JSON to the same, "
        "or as input_references to /images/generations",
    )
    image_field: ImageField = Field(
        "auto", description="the form's field for pictures; auto: image for one, image[] for several"
    )
    response_format: Literal["b64_json", "url"] | None = Field(
        None, description="asks for this kind of answer; not sent unless set, since newer servers refuse it"
    )
    negative_field: str = Field(
        "", max_length=100, description="the server's field for what must not be seen; none: it is said in the prompt"
    )
    sizes: tuple[str, ...] = Field(
        ("1024x1024", "1536x1024", "1024x1536"),
        description="the sizes that the server draws; the one nearest in shape is asked for; none: any size",
    )
    headers: dict[str, str] = Field(default_factory=dict, description="further headers, OpenAI-Project for one")
    result_hosts: tuple[str, ...] = Field(
        (), description="hosts, besides base_url's, from which pictures may be fetched that are answered as links"
    )
    result_private: bool = Field(False, description="whether these hosts may lie in the local network")

    @field_validator("sizes")
    @classmethod
    def _sizes(cls, sizes: tuple[str, ...]) -> tuple[str, ...]:
        if any(size == "auto" or not re.match(_SIZE, size) for size in sizes):
            raise ValueError("sizes are written like 1024x1536")
        return sizes

    @field_validator("headers")
    @classmethod
    def _headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not re.fullmatch(r"[A-Za-z0-9-]+", name) or not re.fullmatch(r"[\x20-\x7e]*", value):
                raise ValueError(f"{name!r} is no header that can be sent")
            if name.lower() in _NOT_EXTRA:
                raise ValueError(f"the header {name} is boothd's own; a key belongs into etc/secrets.yaml")
        return headers

    @field_validator("result_hosts")
    @classmethod
    def _hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        Guard(hosts)
        return hosts


class OpenAIImagesOptions(Options):
    """A slot's own fields; what is not set is not sent."""

    model: str = Field("", max_length=300, description="the model; none: the provider's")
    size: str | None = Field(None, pattern=_SIZE, description="auto or 1024x1536; none: as the server likes it")
    quality: str = Field("", max_length=50, description="low, medium, high, …, as the model has them")
    output_format: Literal["", "png", "jpeg", "webp"] = Field("", description="the answer's format")
    background: Literal["", "auto", "opaque", "transparent"] = Field("", description="for models that can do it")
    extra: Extra = Field(default_factory=dict, description="further fields of the request: seed, input_fidelity, …")

    @field_validator("extra")
    @classmethod
    def _extra(cls, extra: Extra) -> Extra:
        for name in extra:
            if name in _OURS or not re.fullmatch(r"[A-Za-z0-9_.\[\]-]{1,100}", name):
                raise ValueError(f"{name!r} cannot be a further field")
        return extra
