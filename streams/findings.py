"""`Judge`: from detector scores of one account to the words and numbers of a finding."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.event import RequestEvent
from schemas.finding import Feature, Finding, Lifecycle, finding_id, utc_from_ms
from streams import budget
from streams.account_table import AccountTable
from streams.config import DetectionConfig
from streams.detectors.detector import Context, Detector
from streams.episodes import Episode
from streams.fusion import Fusion

MENTIONED_SHARE = 0.02
"""Detectors with less than this share of the evidence are left out of the text."""


class Judge:
    """Turns fused evidence into findings.

    Args:
        detectors: in the order of score columns.
        config: the budget gives the threshold.
    """

    def __init__(self, detectors: Sequence[Detector], config: DetectionConfig) -> None:
        self.detectors = detectors
        known = [detector.metadata for detector in detectors]
        self.fusion = Fusion([one.nature for one in known], [one.weight for one in known])
        self.threshold_nats = budget.threshold_nats(config.alerts_per_million_account_days)

    def open(
        self, table: AccountTable, slot: int, event: RequestEvent, nats: NDArray[np.float64], fused: float
    ) -> Episode:
        """A new episode, led by the detector with the most evidence."""
        leader = self.detectors[int(np.argmax(nats))].name
        row = table.rows[slot]
        return Episode(
            finding_id=finding_id(event.tenant_id, leader, event.account_id, event.time_ms),
            detector=leader,
            start_ms=event.time_ms,
            last_signal_ms=event.time_ms,
            sequence=0,
            told_events=int(row["events"]),
            events=int(row["events"]),
            completed=int(row["completed"]),
            nats=fused,
            first_seen_ms=int(row["first_ms"]),
            samples=[event.event_id],
            model=event.response_model or event.request_model or "",
        )

    def create(
        self,
        table: AccountTable,
        slot: int,
        episode: Episode,
        event: RequestEvent,
        nats: NDArray[np.float64],
        context: Context,
    ) -> Finding:
        """First message of an episode."""
        return self._tell(table, slot, episode, event.time_ms, Lifecycle.CREATE, nats, context)

    def update(
        self,
        table: AccountTable,
        slot: int,
        episode: Episode,
        event: RequestEvent,
        nats: NDArray[np.float64],
        context: Context,
    ) -> Finding:
        """A further message: the case has grown."""
        episode.sequence += 1
        episode.told_events = episode.events
        return self._tell(table, slot, episode, event.time_ms, Lifecycle.UPDATE, nats, context)

    def close(self, key: str, episode: Episode, time_ms: int) -> Finding:
        """Last message: quiet for long enough."""
        episode.sequence += 1
        finding = self._finding(key, episode, time_ms, Lifecycle.CLOSE)
        return msgspec.structs.replace(
            finding, reasons=(*episode.reasons, "no further evidence for the quiet period")
        )

    def _tell(
        self,
        table: AccountTable,
        slot: int,
        episode: Episode,
        time_ms: int,
        lifecycle: Lifecycle,
        nats: NDArray[np.float64],
        context: Context,
    ) -> Finding:
        share = self.fusion.shares(nats)
        reasons: list[str] = []
        features: list[Feature] = []
        for number in np.argsort(-share, kind="stable").tolist():
            if share[number] < MENTIONED_SHARE or not nats[number]:
                continue
            evidence = self.detectors[number].explain(table, slot, context)
            reasons.append(evidence.reason)
            part = float(share[number]) / max(len(evidence.features), 1)
            features += [msgspec.structs.replace(feature, contribution=part) for feature in evidence.features]
        episode.reasons = reasons
        finding = self._finding(table.key(slot), episode, time_ms, lifecycle)
        return msgspec.structs.replace(finding, features=tuple(features))

    def _finding(self, key: str, episode: Episode, time_ms: int, lifecycle: Lifecycle) -> Finding:
        tenant_id, _, account_id = key.partition(":")
        metadata = next(d.metadata for d in self.detectors if d.name == episode.detector)
        severity = budget.severity(episode.nats, episode.completed)
        return Finding(
            finding_id=episode.finding_id,
            sequence=episode.sequence,
            lifecycle=lifecycle,
            time=utc_from_ms(time_ms),
            tenant_id=tenant_id,
            detector=episode.detector,
            detector_version=metadata.version,
            detector_kind=metadata.kind,
            subject_kind="account",
            subject_id=account_id,
            members=(account_id,),
            member_count=1,
            severity=severity,
            p_value=float(np.exp(-episode.nats)),
            confidence=float(-np.expm1(-episode.nats / self.threshold_nats)),
            event_count=episode.events,
            leaked_count=episode.completed,
            first_seen=utc_from_ms(episode.first_seen_ms),
            last_seen=utc_from_ms(episode.last_signal_ms),
            title=metadata.title,
            summary=(
                f"Account {account_id}: {episode.events:,} requests, {episode.completed:,} answers given. "
                + "; ".join(episode.reasons)
            ),
            reasons=tuple(episode.reasons),
            sample_event_ids=tuple(episode.samples),
            models=(episode.model,) if episode.model else (),
            techniques=metadata.techniques,
            runbook=metadata.runbook,
            false_positives=metadata.false_positives,
            recommended_action=budget.ACTIONS[severity],
        )
