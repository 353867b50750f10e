"""`Settings`: where things are and which secrets to use; ``STILLWATCH_*`` variables over ``stillwatch.toml``.

Nested names join with two underscores in the environment: ``STILLWATCH_BUS__URL`` is ``bus.url``.
Detection parameters live in the ``[detection]`` table and become a `streams.config.DetectionConfig`.
"""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from agents.setting_errors import from_msgspec, from_pydantic, valid, variable, wrong
from infra.clickhouse import dsn
from infra.kafka.connection import EMBEDDED, bootstrap_of
from schemas.errors import InvalidSetting
from streams.config import DetectionConfig

DEFAULT_FILE = Path("stillwatch.toml")
DEVELOPMENT_SECRET = "stillwatch-development-secret"
"""Known to everybody: `doctor` warns of it."""
PREFIX = "STILLWATCH_"
OTHER_VARIABLES = (
    "STILLWATCH_CONFIG", "STILLWATCH_CACHE", "STILLWATCH_KAFKA_HOME", "STILLWATCH_DATA",
    "STILLWATCH_REQUIRE_SERVERS",
)  # fmt: skip
"""Environment variables that are no settings: where the settings, downloads and test data are."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BusSettings(_Section):
    """The Kafka cluster."""

    url: Annotated[str, valid(bootstrap_of)] = EMBEDDED
    """``embedded:`` (a real single-node Kafka of our own) or ``kafka://host:port[,host:port]``."""
    partitions: int = Field(8, ge=1, le=1024)
    """Partitions of every topic that scales with the fleet. Cannot be changed once state exists."""
    replication: int = Field(1, ge=1, le=5)
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_ca_file: Path | None = None
    ssl_cert_file: Path | None = None
    ssl_key_file: Path | None = None
    embedded_heap_mb: int = Field(384, ge=128)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        """Settings that are right one by one and wrong together."""
        if problem := self._disagreement():
            raise wrong(problem)
        return self

    def _disagreement(self) -> InvalidSetting | None:
        sasl, tls = self.security_protocol.startswith("SASL"), self.security_protocol.endswith("SSL")
        kafka_of_yours = "Set bus.url = \"kafka://host:port\", or leave this setting out"
        if self.url == EMBEDDED and self.replication > 1:
            return InvalidSetting("bus.replication", "the embedded Kafka is a single broker", kafka_of_yours)
        if self.url == EMBEDDED and (sasl or tls):
            return InvalidSetting(
                "bus.security_protocol", "the embedded Kafka is PLAINTEXT, on loopback", kafka_of_yours
            )
        for name in ("sasl_username", "sasl_password"):
            if sasl and not getattr(self, name):
                problem = f"{self.security_protocol} needs it"
                return InvalidSetting(f"bus.{name}", problem, f"Set it, best as {variable(['bus', name])}")
            if not sasl and getattr(self, name):
                problem = f"{self.security_protocol} sends no credentials, yet bus.{name} is set"
                return InvalidSetting("bus.security_protocol", problem, "Set SASL_SSL or SASL_PLAINTEXT")
        for name in ("ssl_ca_file", "ssl_cert_file", "ssl_key_file"):
            if not tls and getattr(self, name):
                problem = f"{self.security_protocol} is not encrypted, yet bus.{name} is set"
                return InvalidSetting("bus.security_protocol", problem, "Set SSL or SASL_SSL")
        if self.ssl_key_file and not self.ssl_cert_file:
            return InvalidSetting("bus.ssl_cert_file", "bus.ssl_key_file is set, this is not", "Set both")
        return None


class StoreSettings(_Section):
    """The ClickHouse store."""

    dsn: Annotated[str, valid(lambda text: text and dsn.parse(text))] = ""
    """``chdb:///path`` (embedded) or ``http(s)://user:password@host:port/database``; empty:
    ``chdb://`` under `Settings.data_dir`."""
    requests_ttl_days: int = Field(30, ge=1)


class IngestSettings(_Section):
    """From raw records to canonical events."""

    fingerprint_secret: SecretStr = SecretStr(DEVELOPMENT_SECRET)
    """Key of every content fingerprint. Rotating it makes old and new fingerprints incomparable."""
    fingerprint_generation: str = "k1"
    """Name of the secret's generation; part of `fingerprint_id`."""
    max_future_s: int = Field(300, ge=0)
    """An event dated further ahead of the wall clock is rejected."""
    azure_accounts: int = Field(500, ge=1)
    """Accounts the account-less Azure trace is spread over, by a seeded hash of each line."""
    litellm_account: Literal["user", "team", "key", "end_user"] = "user"
    """Which LiteLLM identity is the account."""


class SinkSettings(_Section):
    """Writer to the store."""

    batch_rows: int = Field(20_000, ge=1, le=1_000_000)
    flush_s: float = Field(1.0, gt=0)
    sql_port: int = Field(0, ge=0, le=65535)
    """Loopback port of the read-only SQL endpoint of an embedded store; 0 picks a free one."""


class FleetSettings(_Section):
    """Worker processes."""

    application_id: str = "stillwatch"
    """Consumer group of the workers; the sink's is ``<application_id>-sink``."""
    run_records: int = Field(4000, ge=1)
    """Most records handed to an agent as one run."""
    align_s: float = Field(0.25, gt=0)
    """How far one partition of a raw topic may be read ahead of its others, by the time of production."""
    checkpoint_s: float = Field(1.0, gt=0)
    """How often account state is written to its changelog, and offsets become committable."""
    local_state: bool = False
    """Keep copies of account state under `data_dir` (RocksDB; needs ``stillwatch[local-state]``): a worker
    that is started again on the same disk then reads only the rest from Kafka."""
    idle_source_s: float = Field(15.0, gt=0)
    """A raw partition without records for this long no longer holds event time back."""
    idle_close_s: float = Field(90.0, gt=0)
    """After this long without any record, open windows are closed."""
    commit_stall_s: float = Field(120.0, gt=0)
    """A worker whose committed offsets stand still this long while records wait ends itself."""
    session_timeout_s: float = Field(10.0, gt=0)
    metrics_port: int = Field(0, ge=0, le=65535)
    """Prometheus port; 0: off."""
    metrics_host: str = "127.0.0.1"
    """Address the metrics are served on."""


class Settings(BaseSettings):
    """All settings. Build with `load`, which turns validation errors into `InvalidSetting`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        nested_model_default_partial_update=True,
    )

    data_dir: Path = Path(".stillwatch")
    """Run directory: embedded broker, embedded store, endpoint files."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    bus: BusSettings = BusSettings()
    store: StoreSettings = StoreSettings()
    ingest: IngestSettings = IngestSettings()
    sink: SinkSettings = SinkSettings()
    fleet: FleetSettings = FleetSettings()
    detection: dict[str, Any] = {}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))

    @property
    def store_dsn(self) -> str:
        """`StoreSettings.dsn`, or the embedded store under `data_dir`."""
        return self.store.dsn or f"chdb://{(self.data_dir / 'clickhouse').absolute()}"

    def detection_config(self) -> DetectionConfig:
        """Typed detection parameters. Raises `InvalidSetting`."""
        try:
            return msgspec.convert(self.detection, DetectionConfig, strict=False)
        except msgspec.ValidationError as error:
            raise from_msgspec(error, "detection", DetectionConfig.__struct_fields__) from error


def load(config: Path | None = None, **overrides: Any) -> Settings:
    """Settings from overrides, environment and TOML file, in this order of precedence.

    Args:
        config: file to read; default ``$STILLWATCH_CONFIG`` or ``./stillwatch.toml`` where it exists.

    Raises:
        InvalidSetting: names the first wrong setting and what to do.
    """
    settings, problems = examine(config, **overrides)
    if settings is None or problems:
        raise problems[0]
    return settings


def examine(config: Path | None = None, **overrides: Any) -> tuple[Settings | None, list[InvalidSetting]]:
    """As `load`, but every problem at once. Settings are `None` where there are none to speak of."""
    path = config or (Path(named) if (named := os.environ.get("STILLWATCH_CONFIG")) else None)
    if path is not None and not path.is_file():
        fix = "Check --config or STILLWATCH_CONFIG"
        return None, [InvalidSetting("config", f"no such file: {path}", fix)]
    file = path or DEFAULT_FILE

    class FromFile(Settings):
        model_config = SettingsConfigDict(**{**Settings.model_config, "toml_file": file})

    try:
        settings = FromFile(**overrides)
    except ValidationError as error:
        return None, from_pydantic(error, Settings)
    except SettingsError as error:  # a whole section in one variable, which must be JSON
        fix = "Set single values, e.g. STILLWATCH_BUS__URL"
        return None, [InvalidSetting("environment", str(error), fix)]
    except (ValueError, OSError) as error:
        return None, [InvalidSetting("config", f"{file} is no readable TOML: {error}", "Mend the file")]
    try:
        settings.detection_config()
    except InvalidSetting as error:
        return settings, [error]
    return settings, []


def unknown_variables() -> list[InvalidSetting]:
    """``STILLWATCH_*`` variables that nothing reads: mistyped, most likely. Harmless to the program."""
    known = {*Settings.model_fields, *(name.removeprefix(PREFIX).lower() for name in OTHER_VARIABLES)}
    problems = []
    for name in sorted(os.environ):
        section, *rest = name.removeprefix(PREFIX).lower().split("__")
        if name.startswith(PREFIX) and section not in known:
            guess = get_close_matches(section, known, n=1)
            fix = f"Did you mean {variable([*guess, *rest])}?" if guess else "Unset it"
            problems.append(InvalidSetting(name, "nothing reads this variable", fix))
    return problems
