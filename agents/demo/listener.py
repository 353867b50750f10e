"""`Listener`: what the fleet says, read from its own topics as a SIEM would."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from infra.kafka.connection import Connection
from schemas.finding import Finding, Lifecycle, decode_finding
from schemas.topics import ALERTS, FINDINGS


class Listener:
    """Reads findings and alerts from the beginning of their topics.

    Attributes:
        created: first message of each finding, by finding id, in the order they were read.
        latest: newest message of each finding.
        alerts: finding ids of OCSF "create" alerts.
        messages: how many were read.
    """

    def __init__(self, connection: Connection, partitions: int) -> None:
        self._connection = connection
        self._places = [TopicPartition(t.name, n) for t in (FINDINGS, ALERTS) for n in range(partitions)]
        self.created: dict[str, Finding] = {}
        self.latest: dict[str, Finding] = {}
        self.alerts: set[str] = set()
        self.messages = 0

    async def run(self) -> None:
        """Read until cancelled."""
        consumer = AIOKafkaConsumer(**self._connection.client_options(), enable_auto_commit=False)
        await consumer.start()
        try:
            consumer.assign(self._places)
            await consumer.seek_to_beginning()
            while True:
                for place, records in (await consumer.getmany(timeout_ms=200)).items():
                    for record in records:
                        self._take(place.topic, record.value)
        finally:
            await consumer.stop()

    def _take(self, topic: str, value: bytes) -> None:
        self.messages += 1
        if topic == ALERTS.name:
            document: dict[str, Any] = orjson.loads(value)
            if document["activity_name"] == "Create":
                self.alerts.add(document["finding_info"]["uid"])
            return
        finding = decode_finding(value)
        if finding.lifecycle is Lifecycle.CREATE:
            self.created.setdefault(finding.finding_id, finding)
        known = self.latest.get(finding.finding_id)
        if known is None or finding.sequence > known.sequence:
            self.latest[finding.finding_id] = finding

    def first_about(self, accounts: Collection[str]) -> Finding | None:
        """Earliest finding (by event time) that names one account; of several, more than one of them."""
        wanted = set(accounts)
        enough = min(2, len(wanted))
        about = [one for one in self.created.values() if len(_named(one) & wanted) >= enough]
        return min(about, key=lambda finding: finding.time, default=None)

    def named(self, accounts: Collection[str]) -> int:
        """How many of them a campaign names by now."""
        campaigns = (one for one in self.latest.values() if one.subject_kind == "campaign")
        return len(set().union(*map(_named, campaigns)) & set(accounts))

    @property
    def open(self) -> list[Finding]:
        """Newest message of the findings that are not closed, newest case first."""
        running = [f for f in self.latest.values() if f.lifecycle is not Lifecycle.CLOSE]
        return sorted(running, key=lambda finding: finding.last_seen, reverse=True)


def _named(finding: Finding) -> set[str]:
    return set(finding.members) or {finding.subject_id}
