"""etc/*.yaml become frozen models. Every error names the file, the key and the reason."""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from boothd.base.endpoint import endpoint_problem
from boothd.base.strict_yaml import StrictLoader
from boothd.base.units import Bytes, Count, Seconds

M = TypeVar("M", bound=BaseModel)


class ConfigError(Exception):
    """The configuration cannot be used. file, key: where; reason: what is wrong and what would be right."""

    def __init__(self, file: Path, key: str, reason: str) -> None:
        super().__init__(f"{file}: {key + ': ' if key else ''}{reason}")
        self.file, self.key, self.reason = file, key, reason


class Section(BaseModel):
    """A part of the configuration: unknown keys are errors, values never change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BudgetConfig(Section):
    """The time a booth's upload may take."""

    total: Seconds = Field(48.0, gt=0, le=3600)
    reserve: Seconds = Field(2.0, ge=0, validate_default=True)
    starts: Literal["first-byte", "accepted"] = "first-byte"

    @field_validator("reserve")
    @classmethod
    def _leaves_time(cls, reserve: float, info: ValidationInfo) -> float:
        if reserve >= info.data.get("total", math.inf):
            raise ValueError("must be less than budget.total, or no time is left for the picture")
        return reserve


class UploadConfig(Section):
    """What an upload may be."""

    max_size: Bytes = Field(30 << 20, gt=0)
    max_pixels: Count = Field(80_000_000, gt=0)
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
    keep: Count = Field(5, ge=1)


class ThreadsConfig(Section):
    """Sizes of the thread pools."""

    disk: Count = Field(8, ge=1, le=64)
    pictures: Count = Field(0, ge=0, le=64, description="0 = as many as there are processor cores")


class DayConfig(Section):
    """Which day an evening belongs to."""

    time_zone: str = "local"
    starts: str = "06:00"

    @field_validator("starts", mode="before")
    @classmethod
    def _clock_time(cls, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
            value = f"{value // 60:02d}:{value % 60:02d}"  # YAML reads 10:30 as minutes
        if not isinstance(value, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value, re.ASCII):
            raise ValueError(f"{value!r} is not a time of day; write it like 06:00")
        return value

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
        zone = self.zone()
        today = when.astimezone(zone).date()
        # Moments are compared, not clock times: the hour that comes twice in autumn must not bring yesterday back.
        begins = datetime.combine(today, time.fromisoformat(self.starts), zone)
        return today if when.timestamp() >= begins.timestamp() else today - timedelta(days=1)


class DaemonConfig(Section):
    """`etc/boothd.yaml`."""

    listen: str = "tcp:8000"
    public_url: str | None = None
    budget: BudgetConfig = BudgetConfig()
    upload: UploadConfig = UploadConfig()
    spool: SpoolConfig = SpoolConfig()
    hot: HotConfig = HotConfig()
    day: DayConfig = DayConfig()
    log: LogConfig = LogConfig()
    threads: ThreadsConfig = ThreadsConfig()

    @field_validator("listen")
    @classmethod
    def _endpoint(cls, endpoint: str) -> str:
        problem = endpoint_problem(endpoint)
        if problem is not None:
            raise ValueError(problem)
        return endpoint

    @field_validator("public_url")
    @classmethod
    def _address(cls, url: str | None) -> str | None:
        if url is not None and not re.fullmatch(r"https?://[^/\s]+(/\S*)?", url):
            raise ValueError(f"{url!r} is not an address; write it like https://booth.example")
        return url


class Secrets(Section):
    """`etc/secrets.yaml`, mode 0600. operators: login name to argon2 hash. keys: provider to API keys, in order."""

    operators: dict[str, str] = Field(default_factory=dict, repr=False)
    upload_password: str = Field("", repr=False)
    keys: dict[str, tuple[str, ...]] = Field(default_factory=dict, repr=False)

    @field_validator("keys", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        if isinstance(value, dict):
            return {k: v if isinstance(v, list) else (v,) for k, v in value.items()}
        return value

    @field_validator("operators", "upload_password", "keys", mode="before")
    @classmethod
    def _texts(cls, value: object) -> object:
        """YAML takes 0123 for a number and 1e5 for another; turned back into text they would not be what was written."""
        values = list(value.values()) if isinstance(value, dict) else [value]
        flat = [v for one in values for v in (one if isinstance(one, list | tuple) else [one])]
        if any(isinstance(v, bool | int | float | date) for v in flat):
            raise ValueError("must be text; put it into quotes")
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


def read_yaml(file: Path, *, secret: bool = False, may_be_empty: bool = True) -> dict[str, Any]:
    """The mapping that a YAML file holds; an empty or absent file is an empty one.

    secret: nothing of what stands in the file is quoted. may_be_empty: False where an empty file can only be an accident,
    half an edit say, and would take everything away. Raises ConfigError."""
    try:
        data = yaml.load(file.read_text(encoding="utf-8-sig"), StrictLoader)  # noqa: S506 (a SafeLoader)
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        problem = ConfigError(file, "", "is not UTF-8 text; save it as UTF-8")
    except OSError as error:
        problem = ConfigError(file, "", f"cannot be read ({error.strerror})")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        why = "" if secret else f" ({getattr(error, 'problem', None) or error})"
        problem = ConfigError(file, "", f"{where}is not YAML{why}")
    except (ValueError, RecursionError) as error:  # a date like 2026-13-45; brackets without end
        problem = ConfigError(file, "", "is not YAML" + ("" if secret else f" ({error})"))
    else:
        if data is None and may_be_empty:
            return {}
        if isinstance(data, dict):
            return data
        empty = "is empty; remove the file if nothing is meant"
        problem = ConfigError(file, "", empty if data is None else "must hold keys and values")
    raise problem


def parse(model: type[M], data: object, file: Path, prefix: str = "") -> M:
    """Validate `data`. Raises ConfigError with the first thing that is wrong."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        wrong = _config_error(error, file, prefix)
    raise wrong  # out here, so that pydantic's error, which quotes what it was given, does not hang on it


def _config_error(error: ValidationError, file: Path, prefix: str) -> ConfigError:
    first = error.errors(include_url=False, include_context=False)[0]
    key = ".".join(str(part) for part in ((prefix,) if prefix else ()) + first["loc"])
    reason = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        reason = "is not a known key"
    if first["type"] in {"model_type", "dict_type"}:
        reason = "must hold keys and values"
    return ConfigError(file, key, reason[:1].lower() + reason[1:])


def read_daemon_config(home: Home) -> DaemonConfig:
    """Read `etc/boothd.yaml`; without one, everything has its default. Raises ConfigError."""
    return parse(DaemonConfig, read_yaml(home.config_file), home.config_file)


def read_secrets(home: Home, environ: Mapping[str, str] | None = None) -> Secrets:
    """Secrets from the file, overlaid by `$CREDENTIALS_DIRECTORY` (systemd), overlaid by the environment.

    Names there: `upload_password` and `key_<provider>`; in the environment `BOOTHD_UPLOAD_PASSWORD` and
    `BOOTHD_KEY_<PROVIDER>`, several keys separated by commas; an empty one is as good as none. Raises ConfigError, which
    never quotes a secret."""
    environ = os.environ if environ is None else environ
    file = home.secrets_file
    found = parse(Secrets, read_yaml(file, secret=True, may_be_empty=False), file)
    given = _credentials(environ) | {
        name.removeprefix("BOOTHD_").lower(): value
        for name, value in environ.items()
        if value.strip() and (name == "BOOTHD_UPLOAD_PASSWORD" or name.startswith("BOOTHD_KEY_"))
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
    try:
        files = [p for p in Path(folder).iterdir() if p.name == "upload_password" or p.name.startswith("key_")]
        found = {p.name: p.read_text(encoding="utf-8").strip() for p in files}
    except OSError as error:
        raise ConfigError(Path(error.filename or folder), "", f"cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        problem = ConfigError(Path(folder), "", "holds a credential that is not UTF-8 text")
    else:
        return {name: value for name, value in found.items() if value}
    raise problem
