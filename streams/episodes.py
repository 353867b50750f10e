"""Episodes: from repeated signals about one subject to the create, update and close of one finding.

An episode opens with the first signal, stays open while signals keep coming, says so again when the
case has grown (twice the requests), and closes `quiet_ms` after the last signal. All times are event
times, so a replay writes the same messages; the close is dated when the quiet was complete, not when
somebody noticed.
"""

from __future__ import annotations

import msgspec

GROWTH = 2
"""An update is due when the subject's requests have grown by this factor: log2 messages at most."""

MAX_SAMPLES = 20


class Episode(msgspec.Struct, array_like=True):
    """An open finding of one account. Times are epoch ms."""

    finding_id: str
    detector: str
    start_ms: int
    last_signal_ms: int
    sequence: int
    told_events: int
    """Requests reported by the last message."""
    events: int
    completed: int
    """Requests and completed answers of the account at the last signal."""
    nats: float
    """Strongest fused evidence so far."""
    first_seen_ms: int
    samples: list[str]
    """Ids of the events at which it signalled, at most `MAX_SAMPLES`."""
    model: str = ""
    reasons: list[str] = []

    def signal(self, time_ms: int, nats: float, event_id: str, events: int, completed: int) -> None:
        """One more signal."""
        self.events, self.completed = events, completed
        self.last_signal_ms = max(self.last_signal_ms, time_ms)
        self.nats = max(self.nats, nats)
        if len(self.samples) < MAX_SAMPLES:
            self.samples.append(event_id)

    def grown(self) -> bool:
        """Has the case grown enough to say so?"""
        return self.events >= GROWTH * self.told_events

    def ends_ms(self, quiet_ms: int) -> int:
        """When it closes unless another signal comes."""
        return self.last_signal_ms + quiet_ms
