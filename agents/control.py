"""Control messages as a worker sees them: `Suppressions`, kept up to date by a `ControlReader`.

Every worker reads the whole control topic (one partition, compacted) for itself, outside the consumer
group, and has read it to its end before it handles its first record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from schemas.control import Override, Suppression, decode_control
from schemas.errors import BusUnavailable
from schemas.finding import Finding
from schemas.topics import CONTROL

log = structlog.get_logger(__name__)


class Suppressions:
    """Control messages in force, by their key.

    >>> from datetime import UTC, datetime
    >>> from schemas.control import encode_control
    >>> known = Suppressions()
    >>> known.apply(b"suppression:s1", encode_control(
    ...     Suppression(id="s1", detector="burst", until=datetime(2030, 1, 1, tzinfo=UTC))))
    >>> len(known)
    1
    >>> known.apply(b"suppression:s1", None); len(known)
    0
    """

    def __init__(self) -> None:
        self._known: dict[bytes, Suppression | Override] = {}

    def __len__(self) -> int:
        return len(self._known)

    def apply(self, key: bytes, value: bytes | None) -> None:
        """Take one record of the control topic; `None` takes the message back."""
        self._known.pop(key, None)
        if value is None:
            return
        try:
            message = decode_control(value)
        except msgspec.DecodeError as error:
            log.warning("control message ignored", key=key.decode(errors="replace"), problem=str(error))
            return
        if isinstance(message, Suppression) or (isinstance(message, Override) and message.budget_factor == 0):
            self._known[key] = message

    def mark(self, finding: Finding) -> Finding:
        """The finding, with `suppressed_by` set where a message in force at its event time matches."""
        for message in self._known.values():
            if _matches(message, finding):
                return msgspec.structs.replace(finding, suppressed_by=message.id)
        return finding

    def mark_all(self, findings: Iterable[Finding]) -> list[Finding]:
        """`mark` for each, in order."""
        return [self.mark(finding) for finding in findings] if self._known else list(findings)


def _matches(message: Suppression | Override, finding: Finding) -> bool:
    if message.tenant_id not in (None, finding.tenant_id):
        return False
    if message.subject_id not in (None, finding.subject_id):
        return False
    if isinstance(message, Suppression):
        return message.detector in (None, finding.detector) and finding.time < message.until
    return message.account_plan is None  # a finding does not say which plan its accounts are on


class ControlReader:
    """Follows the control topic.

    Args:
        client_options: aiokafka client arguments: ``bootstrap_servers`` and security.
        suppressions: kept up to date.
    """

    def __init__(self, client_options: Mapping[str, Any], suppressions: Suppressions) -> None:
        self._options = dict(client_options)
        self._suppressions = suppressions
        self.caught_up = asyncio.Event()

    async def run(self) -> None:
        """Read from the beginning, for ever; `caught_up` is set once what was there at first is read.

        Raises:
            BusUnavailable: the topic cannot be read.
        """
        place = TopicPartition(CONTROL.name, 0)
        consumer = AIOKafkaConsumer(
            **self._options, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            await consumer.start()
            consumer.assign([place])
            await consumer.seek_to_beginning(place)
            end = (await consumer.end_offsets([place]))[place]
            while True:
                if await consumer.position(place) >= end:
                    self.caught_up.set()
                fetched: dict[TopicPartition, list[ConsumerRecord]] = await consumer.getmany(timeout_ms=500)
                for record in fetched.get(place, ()):
                    self._suppressions.apply(record.key or b"", record.value)
        except KafkaError as error:
            raise BusUnavailable(f"cannot read {CONTROL.name}: {error!r}") from error
        finally:
            await consumer.stop()
