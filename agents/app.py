"""`FleetApp`: the Faust application of a worker, built from settings. No detection in here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import faust
from yarl import URL

from agents.run_consumer import RunConsumer
from agents.runs import RunSchema
from agents.settings import Settings
from agents.transport import RunTransport
from schemas.topics import RAW_FORMATS, Topic

COMMIT_INTERVAL_S = 1.0
QUEUED_RUNS = 4
"""Runs that wait in front of an agent. More would only move memory from Kafka to here."""


class FleetApp(faust.App):  # type: ignore[misc]
    """Faust with our transport, and an end that finishes and commits what is in hand."""

    consumer: RunConsumer

    async def on_first_start(self) -> None:
        """Nothing: Faust would create folders for tables we do not have."""

    async def on_stop(self) -> None:
        """Leave nothing for the next owner to repeat."""
        if self.started and not self.crashed:
            await self.consumer.finish()
        await super().on_stop()


def build_app(settings: Settings, client_options: Mapping[str, Any]) -> FleetApp:
    """The application, with its transport, without agents.

    Args:
        client_options: aiokafka client arguments: ``bootstrap_servers`` and security.
    """
    fleet = settings.fleet
    app = FleetApp(
        fleet.application_id,
        broker=[URL(f"aiokafka://{server}") for server in client_options["bootstrap_servers"].split(",")],
        broker_session_timeout=fleet.session_timeout_s,
        broker_heartbeat_interval=fleet.session_timeout_s / 4,
        broker_commit_interval=COMMIT_INTERVAL_S,
        stream_buffer_maxsize=QUEUED_RUNS,
        stream_wait_empty=False,  # `RunConsumer.finish` does it, and before the acknowledgements are dropped
        table_standby_replicas=0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        autodiscover=False,
        web_enabled=False,
        store="memory://",
    )
    app.transport = RunTransport(
        app,
        client_options,
        run_records=fleet.run_records,
        aligned_topics=[topic.name for topic in RAW_FORMATS.values()],
        align_ms=round(fleet.align_s * 1000),
    )
    return app


def runs_of(app: FleetApp, *topics: Topic) -> Any:
    """Faust topic whose stream yields the runs of `topics`."""
    return app.topic(*(topic.name for topic in topics), schema=RunSchema())
