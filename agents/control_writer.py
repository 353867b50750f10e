"""Writes control messages: what operators decide, onto the topic that every worker and the sink read."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from agents import bus
from agents.settings import Settings
from schemas.control import Control, control_key, encode_control
from schemas.errors import BusUnavailable
from schemas.topics import CONTROL


def say(settings: Settings, message: Control) -> None:
    """Put a message in force; one with the same kind and id is replaced. Raises `BusUnavailable`."""
    asyncio.run(_send(settings, control_key(message), encode_control(message)))


def take_back(settings: Settings, key: str) -> None:
    """End the message of this key (``kind:id``), if there is one. Raises `BusUnavailable`."""
    asyncio.run(_send(settings, key, None))


async def _send(settings: Settings, key: str, value: bytes | None) -> None:
    producer = AIOKafkaProducer(**bus.connection(settings).client_options(), acks="all")
    try:
        await producer.start()
        await producer.send_and_wait(CONTROL.name, value, key=key.encode())
    except KafkaError as error:
        raise BusUnavailable(f"cannot write {CONTROL.name}: {error!r}") from error
    finally:
        await producer.stop()
