"""`DetectionConfig`: every number detection depends on, in one immutable value.

The same value drives the fleet, replay and tests. `DetectionConfig.parameter_hash` marks stored state,
so that rows written under other windows or partitions are never mixed with new ones.
"""

from __future__ import annotations

import hashlib
from typing import Annotated

import msgspec
from msgspec import Meta

STATE_VERSION = 1
"""Raised when the layout or meaning of stored account state changes."""


class DetectionConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of the planes. Durations in seconds of event time.

    >>> DetectionConfig().lateness_s
    60
    """

    lateness_s: Annotated[int, Meta(ge=0, le=1800)] = 60
    """How far behind the newest event of its partition an event may be and still be in time."""
    episode_quiet_s: Annotated[int, Meta(ge=60)] = 2 * 86_400
    """An episode closes after this long without new evidence: so long that a nightly job, or a slow account
    that is looked at once a day, is one finding and not one each time."""
    alerts_per_million_account_days: Annotated[float, Meta(gt=0)] = 10.0
    """Allowed false alerts; see `streams.budget`."""
    max_accounts_per_partition: Annotated[int, Meta(ge=16)] = 250_000
    """Accounts tracked in one partition; the least recently active is evicted beyond it, and counted."""
    max_links_per_partition: Annotated[int, Meta(ge=16)] = 1_000_000
    """Links tracked in one partition; the longest idle are evicted beyond it, and counted."""
    seed: int = 0
    """Seeds every projection and sample. Two workers of one fleet must share it."""

    def parameter_hash(self) -> str:
        """16 hex digits over what the meaning of stored state depends on."""
        facts = (STATE_VERSION, self.lateness_s, self.seed)
        return hashlib.blake2b(repr(facts).encode(), digest_size=8).hexdigest()
