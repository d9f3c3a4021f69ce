"""etc/*.yaml become frozen models. Every error names the file, the key and the reason."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

M = TypeVar("M", bound=BaseModel)

_SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SPANS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class ConfigError(Exception):
    """The configuration cannot be used. file, key: where; reason: what is wrong and what would be right."""

    def __init__(self, file: Path, key: str, reason: str) -> None:
        super().__init__(f"{file}: {key + ': ' if key else ''}{reason}")
        self.file, self.key, self.reason = file, key, reason


def _unit(value: object, units: Mapping[str, float], what: str, sample: str) -> object:
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", value)
    if not match or match[2].lower() not in units:
        raise ValueError(f"{value!r} is not {what}; write it like {sample}")
    return float(match[1]) * units[match[2].lower()]


Bytes = Annotated[int, BeforeValidator(lambda v: _whole(_unit(v, _SIZES, "a size", "500M or 2G")))]
Seconds = Annotated[float, BeforeValidator(lambda v: _unit(v, _SPANS, "a time", "48s, 10m or 30d"))]


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) else value


class Section(BaseModel):
    """A part of the configuration: unknown keys are errors, values never change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BudgetConfig(Section):
    """The time a booth's upload may take."""

    total: Seconds = Field(48.0, gt=0, le=3600)
    reserve: Seconds = Field(2.0, ge=0)
    starts: Literal["first-byte", "accepted"] = "first-byte"


class UploadConfig(Section):
    """What an upload may be."""

    max_size: Bytes = Field(30 << 20, gt=0)
    max_pixels: int = Field(80_000_000, gt=0)
    max_time: Seconds = Field(40.0, gt=0)
    min_rate: Bytes = Field(8 << 10, ge=0)
    header_time: Seconds = Field(10.0, gt=0)


class SpoolConfig(Section):
    """Where jobs lie and for how long."""

    floor: Bytes = Field(1 << 30, ge=0)
    keep_done: Seconds = Field(30 * 86400.0, gt=0)
    keep_trash: Seconds = Field(30 * 86400.0, gt=0)
    index: Seconds = Field(3 * 86400.0, ge=0)


class HotConfig(Section):
    """Folders whose photos are worked on."""

    enabled: bool = True
    settle: Seconds = Field(1.0, gt=0)
    budget: Seconds = Field(300.0, gt=0)


class LogConfig(Section):
    """What is logged, and where to."""

    level: Literal["debug", "info", "warn", "error"] = "info"
    file: str | None = None
    rotate_size: Bytes = Field(10 << 20, gt=0)
    keep: int = Field(5, ge=1)


class ThreadsConfig(Section):
    """Sizes of the thread pools."""

    disk: int = Field(8, ge=1, le=64)
    pictures: int = Field(0, ge=0, le=64, description="0 = as many as there are processor cores")


class DayConfig(Section):
    """Which day an evening belongs to."""

    time_zone: str = "local"
    starts: str = Field("06:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        if name != "local":
            try:
                ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise ValueError(f"{name!r} is not a time zone; write it like Europe/Berlin, or local") from None
        return name

    def zone(self) -> tzinfo | None:
        """None: the machine's own."""
        return None if self.time_zone == "local" else ZoneInfo(self.time_zone)

    def day_of(self, when: datetime) -> date:
        """The operator's day that `when` (aware) belongs to: it begins at `starts`, so an evening passes midnight whole."""
        begins = time.fromisoformat(self.starts)
        local = when.astimezone(self.zone())
        return (local - timedelta(hours=begins.hour, minutes=begins.minute)).date()


class DaemonConfig(Section):
    """`etc/boothd.yaml`."""

    listen: str = "tcp:8000"
    public_url: str | None = Field(None, pattern=r"^https?://[^/\s]+(/[^\s]*)?$")
    budget: BudgetConfig = BudgetConfig()
    upload: UploadConfig = UploadConfig()
    spool: SpoolConfig = SpoolConfig()
    hot: HotConfig = HotConfig()
    day: DayConfig = DayConfig()
    log: LogConfig = LogConfig()
    threads: ThreadsConfig = ThreadsConfig()


class Secrets(Section):
    """`etc/secrets.yaml`, mode 0600. operators: login name to argon2 hash. keys: provider to API keys, in order."""

    operators: dict[str, str] = Field(default_factory=dict, repr=False)
    upload_password: str = Field("", repr=False)
    keys: dict[str, tuple[str, ...]] = Field(default_factory=dict, repr=False)

    @field_validator("keys", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        if isinstance(value, dict):
            return {k: (v,) if isinstance(v, str) else v for k, v in value.items()}
        return value


@dataclass(frozen=True, slots=True)
class Home:
    """The directory that holds everything of one daemon."""

    path: Path

    @property
    def etc(self) -> Path:
        return self.path / "etc"

    @property
    def spool(self) -> Path:
        return self.path / "spool"

    @property
    def trash(self) -> Path:
        return self.path / "trash"

    @property
    def library(self) -> Path:
        return self.path / "library"

    @property
    def config_file(self) -> Path:
        return self.etc / "boothd.yaml"

    @property
    def secrets_file(self) -> Path:
        return self.etc / "secrets.yaml"

    def slots_file(self, provider: str) -> Path:
        return self.etc / "slots" / f"{provider}.yaml"

    def provider_file(self, provider: str) -> Path:
        return self.etc / "providers" / f"{provider}.yaml"


def read_yaml(file: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds; an empty or absent file is an empty one. Raises ConfigError."""
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(file, "", f"cannot be read ({error})") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise ConfigError(file, "", f"{where}is not YAML ({getattr(error, 'problem', None) or error})") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(file, "", "must hold keys and values")
    return data


def parse(model: type[M], data: object, file: Path, prefix: str = "") -> M:
    """Validate `data`. Raises ConfigError with the first thing that is wrong."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _config_error(error, file, prefix) from None


def _config_error(error: ValidationError, file: Path, prefix: str) -> ConfigError:
    first = error.errors(include_url=False, include_context=False)[0]
    key = ".".join(str(part) for part in ((prefix,) if prefix else ()) + first["loc"])
    reason = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        reason = "is not a known key"
    return ConfigError(file, key, reason[:1].lower() + reason[1:])


def read_daemon_config(home: Home) -> DaemonConfig:
    """Read `etc/boothd.yaml`; without one, everything has its default. Raises ConfigError."""
    return parse(DaemonConfig, read_yaml(home.config_file), home.config_file)


def read_secrets(home: Home, environ: Mapping[str, str] | None = None) -> Secrets:
    """Secrets from the file, overlaid by `$CREDENTIALS_DIRECTORY` (systemd), overlaid by the environment.

    Names there: `upload_password` and `key_<provider>`; in the environment `BOOTHD_UPLOAD_PASSWORD` and
    `BOOTHD_KEY_<PROVIDER>`, several keys separated by commas. Raises ConfigError, which never quotes a secret."""
    environ = os.environ if environ is None else environ
    file = home.secrets_file
    try:
        found = Secrets.model_validate(read_yaml(file))
    except ValidationError as error:
        raise _config_error(error, file, "") from None
    given = _credentials(environ) | {
        name.removeprefix("BOOTHD_").lower(): value
        for name, value in environ.items()
        if name == "BOOTHD_UPLOAD_PASSWORD" or name.startswith("BOOTHD_KEY_")
    }
    keys = dict(found.keys)
    for name, value in given.items():
        if name.startswith("key_"):
            keys[name.removeprefix("key_").replace("_", "-")] = tuple(k.strip() for k in value.split(",") if k.strip())
    return found.model_copy(
        update={"keys": keys, "upload_password": given.get("upload_password", found.upload_password)}
    )


def _credentials(environ: Mapping[str, str]) -> dict[str, str]:
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return {}
    names = [p for p in Path(folder).iterdir() if p.name == "upload_password" or p.name.startswith("key_")]
    return {p.name: p.read_text(encoding="utf-8").strip() for p in names}
