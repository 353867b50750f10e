"""`Run`: consecutive records of one partition as one Faust message, and the schema that hands it on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import ConsumerRecord
from faust.serializers.schemas import Schema
from faust.types import TP, AppT
from faust.types.tuples import ConsumerMessage


class Run(ConsumerMessage):  # type: ignore[misc]
    """Consecutive records of one partition as one Faust message.

    `value` is the ``list[ConsumerRecord]``; `offset` and `timestamp` are those of the last record.
    """

    def __init__(self, tp: TP, records: list[ConsumerRecord], generation_id: int) -> None:
        last = records[-1]
        super().__init__(
            tp.topic, tp.partition, last.offset, last.timestamp / 1000, last.timestamp_type,
            None, None, records, None, 0, 0, tp, generation_id=generation_id,
        )  # fmt: skip
        self.length = len(records)
        """Number of records; stays when an agent empties `value` to free memory early."""


class RunSchema(Schema):  # type: ignore[misc]
    """Hands a run on undecoded: the event's value is the list of records."""

    def compile(self, app: AppT, **_: Any) -> Callable[..., Awaitable[Any]]:
        create_event = app.create_event

        async def decode(run: Run, *, propagate: bool = False) -> Any:
            return create_event(None, run.value, None, run)

        return decode
