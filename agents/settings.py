"""`Settings`: where things are and which secrets to use. Environment ``STILLWATCH_*`` over ``stillwatch.toml``.

Nested names join with two underscores in the environment: ``STILLWATCH_BUS__URL`` is ``bus.url``.
Detection parameters live in the ``[detection]`` table and become a `streams.config.DetectionConfig`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from schemas.errors import InvalidSetting
from streams.config import DetectionConfig

DEFAULT_FILE = Path("stillwatch.toml")
DEVELOPMENT_SECRET = "stillwatch-development-secret"  # noqa: S105 - marked unsafe by `doctor`


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BusSettings(_Section):
    """The Kafka cluster."""

    url: str = "embedded:"
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


class StoreSettings(_Section):
    """The ClickHouse store."""

    dsn: str = ""
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
    run_records: int = Field(2000, ge=1)
    """Most records handed to an agent as one run."""
    commit_stall_s: float = Field(120.0, gt=0)
    """A worker whose committed offsets stand still this long while records wait ends itself."""
    session_timeout_s: float = Field(10.0, gt=0)
    metrics_port: int = Field(0, ge=0, le=65535)
    """Prometheus port; 0: off."""


class Settings(BaseSettings):
    """All settings. Build with `load`, which turns validation errors into `InvalidSetting`."""

    model_config = SettingsConfigDict(
        env_prefix="STILLWATCH_", env_nested_delimiter="__", extra="forbid", nested_model_default_partial_update=True
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
            raise InvalidSetting("detection", str(error), "See `stillwatch schema settings`") from error


def load(config: Path | None = None, **overrides: Any) -> Settings:
    """Settings from overrides, environment and TOML file, in this order of precedence.

    Args:
        config: file to read; default ``$STILLWATCH_CONFIG`` or ``./stillwatch.toml`` where it exists.

    Raises:
        InvalidSetting: names the first wrong setting and what to do.
    """
    path = config or (Path(os.environ["STILLWATCH_CONFIG"]) if "STILLWATCH_CONFIG" in os.environ else None)
    if path is not None and not path.is_file():
        raise InvalidSetting("config", f"no such file: {path}", "Check --config or STILLWATCH_CONFIG")

    class FromFile(Settings):
        model_config = SettingsConfigDict(**{**Settings.model_config, "toml_file": path or DEFAULT_FILE})

    try:
        settings = FromFile(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        variable = "STILLWATCH_" + "__".join(str(part).upper() for part in first["loc"])
        raise InvalidSetting(
            name, first["msg"], f"Set it in stillwatch.toml or as {variable}"
        ) from error
    except ValueError as error:  # TOML syntax
        raise InvalidSetting("config", f"{path or DEFAULT_FILE} is no valid TOML: {error}", "Mend the file") from error
    settings.detection_config()
    return settings
