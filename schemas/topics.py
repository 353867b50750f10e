"""Every Kafka topic: name, key, partitions, retention, compaction. Topics are always created from here.

Kafka's own defaults are never relied on, because a topic that a broker creates by itself has one
partition and loses co-partitioning (see `co_partitioned`).
"""

from __future__ import annotations

from typing import Literal

import msgspec

DAY_MS = 86_400_000
COMPACTION_LAG_MS = 3_600_000
"""State that a crash has torn is put right by the next owner (`agents.stretches`); until then, what it was
before must still be there."""


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """Definition of one topic."""

    name: str
    key: str
    """What the record key is, for a person."""
    value: str
    """What the record value is, for a person."""
    partitions: int | None = None
    """`None`: as many as the fleet's setting ``bus.partitions``."""
    cleanup: Literal["delete", "compact"] = "delete"
    retention_ms: int = 3 * DAY_MS
    """-1: for ever. Counted from the Kafka timestamp, which is whatever the sender says."""
    max_message_bytes: int = 1024 * 1024

    def config(self) -> dict[str, str]:
        """Topic-level Kafka configuration.

        >>> CONTROL.config()["cleanup.policy"]
        'compact'
        """
        config = {"cleanup.policy": self.cleanup, "max.message.bytes": str(self.max_message_bytes)}
        if self.cleanup == "delete":
            config["retention.ms"] = str(self.retention_ms)
        else:
            config["min.compaction.lag.ms"] = str(COMPACTION_LAG_MS)
        return config


RAW_MAX_BYTES = 16 * 1024 * 1024

RAW_NATIVE = Topic(
    name="stillwatch.raw.native.v1",
    key="any; the account where the sender has it",
    value="RequestEvent fields, plus optional raw prompt and system_prompt",
    retention_ms=DAY_MS,
    max_message_bytes=RAW_MAX_BYTES,
)
RAW_LITELLM = Topic(
    name="stillwatch.raw.litellm.v1",
    key="any",
    value="LiteLLM StandardLoggingPayload",
    retention_ms=DAY_MS,
    max_message_bytes=RAW_MAX_BYTES,
)
RAW_AZURE = Topic(
    name="stillwatch.raw.azure.v1",
    key="any",
    value="CSV line of the Azure LLM inference trace",
    retention_ms=DAY_MS,
)
REQUESTS = Topic(name="stillwatch.requests.v1", key="tenant_id:account_id", value="RequestEvent v1")
PROFILES = Topic(name="stillwatch.profiles.v1", key="tenant_id:account_id", value="AccountWindow")
FINDINGS = Topic(name="stillwatch.findings.v1", key="finding_id", value="Finding", retention_ms=30 * DAY_MS)
ALERTS = Topic(
    name="stillwatch.alerts.v1", key="finding_id", value="OCSF 2004 JSON", retention_ms=30 * DAY_MS
)
DEAD_LETTERS = Topic(
    name="stillwatch.deadletters.v1",
    key="origin topic-partition-offset",
    value="DeadLetter",
    retention_ms=14 * DAY_MS,
)
CONTROL = Topic(
    name="stillwatch.control.v1", key="kind:id", value="Control message", partitions=1, cleanup="compact"
)
ACCOUNT_STATE = Topic(
    name="stillwatch.account-state.v1",
    key="tenant_id:account_id, or a partition record",
    value="account row, see streams.account_table",
    cleanup="compact",
)

EVIDENCE = Topic(
    name="stillwatch.evidence.v1",
    key="tenant_id:kind:value of a link",
    value="AccountEvidence or HourMark, MessagePack",
    retention_ms=DAY_MS,
)
GROUPS = Topic(name="stillwatch.groups.v1", key="tenant_id", value="GroupReport or HourMark, MessagePack")
LINK_STATE = Topic(
    name="stillwatch.link-state.v1",
    key="link, account, snapshot, or a partition record",
    value="see streams.link_plane",
    cleanup="compact",
)
CAMPAIGN_STATE = Topic(
    name="stillwatch.campaign-state.v1",
    key="group or a partition record",
    value="see streams.campaign_plane",
    cleanup="compact",
    max_message_bytes=16 * 1024 * 1024,
)

ALL: tuple[Topic, ...] = (
    RAW_NATIVE, RAW_LITELLM, RAW_AZURE, REQUESTS, PROFILES, FINDINGS, ALERTS, DEAD_LETTERS, CONTROL,
    ACCOUNT_STATE, EVIDENCE, GROUPS, LINK_STATE, CAMPAIGN_STATE,
)  # fmt: skip

RAW_FORMATS: dict[str, Topic] = {"native": RAW_NATIVE, "litellm": RAW_LITELLM, "azure": RAW_AZURE}
"""Adapter name to the raw topic it reads."""


def co_partitioned() -> tuple[Topic, ...]:
    """Topics that must have the same number of partitions: state follows its source."""
    return (REQUESTS, ACCOUNT_STATE, EVIDENCE, LINK_STATE, GROUPS, CAMPAIGN_STATE)
