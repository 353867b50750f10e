"""From columns of simulated requests to the evidence the link plane takes, without events in between.

What `streams.links` keeps in the rows of the account table, for evaluation of the planes behind it: the same
summaries for the same requests (a test compares them), at a fraction of the cost, because nothing is
encoded, decoded or scored. Differences: an hour ends at its end, not when events a minute later have come;
the sums of an account with more than `FADE_PROMPTS` prompts are halved then, not at its looks; the
structure group counts prompts that an account repeats; and nobody has a finding of his own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from schemas.event import RequestEvent
from schemas.evidence import HOURS_TOLD, AccountEvidence, LinkKind
from streams.batch import FEATURE_DIMENSIONS
from streams.detectors.shift import MIN_CHARS, STRUCTURE
from streams.fingerprint import Fingerprint
from streams.hashing import hash64
from streams.links import FADE_PROMPTS, FIELDS, MEAN_SCALE, identifiers, ties
from streams.simulation.calls import Calls, CallStream
from streams.simulation.constants import described
from streams.simulation.content import Content
from streams.simulation.traffic import Traffic

Ints = NDArray[np.int64]
_KINDS = tuple(int(kind) for kind in FIELDS)
_CONTENT = _KINDS.index(int(LinkKind.TEMPLATE))
"""From here on links change from request to request."""


class Hour(NamedTuple):
    """One hour of all accounts."""

    hour: int
    evidence: list[AccountEvidence]
    rows: Ints
    """Rows of the population that `evidence` is about."""
    calls: Calls
    """Ordered by time."""
    aside: NDArray[np.bool_]
    """Calls of an account in its own words."""


class EvidenceColumns:
    """Summaries of all accounts of a scenario, hour by hour.

    Args:
        traffic: of the scenario, without text.
        content: what the accounts write.
    """

    def __init__(self, traffic: Traffic, content: Content[Fingerprint]) -> None:
        self.population, self._traffic, self._content = traffic.population, traffic, content
        n = self.population.size
        self._requests, self._completed = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self._first_hour = np.zeros(n, np.int64)
        self._ring = np.zeros((n, HOURS_TOLD), np.uint16)
        self._prompts = np.zeros(n, np.int32)
        self._long = np.zeros(n, np.int32)
        """Prompts of at least `MIN_CHARS`: the others have no structure to speak of."""
        self._sum = np.zeros((n, FEATURE_DIMENSIONS), np.int32)
        self._fixed: dict[int, _Fixed] = {}
        # of each row of the bank: what ties accounts, whether it is long, and its vector as it is added up
        self._bank_links: list[tuple[tuple[int, int], ...]] = []
        self._bank_long = np.zeros(0, np.bool_)
        self._bank = np.zeros((0, FEATURE_DIMENSIONS), np.int32)

    def __iter__(self) -> Iterator[Hour]:
        for hour, calls in CallStream(self.population).hours():
            yield self._told(hour, calls)

    def _told(self, hour: int, calls: Calls) -> Hour:
        aside = self.population.is_aside(calls.account, calls.event, calls.time_ms)
        self._ring[:, hour % HOURS_TOLD] = 0
        if not len(calls.account):
            return Hour(hour, [], np.empty(0, np.int64), calls, aside)
        bank = self._content.rows(calls)
        order = np.argsort(calls.account, kind="stable")
        account = calls.account[order]
        starts = np.flatnonzero(np.r_[True, account[1:] != account[:-1]])
        rows, counts = account[starts], np.diff(np.r_[starts, len(account)])
        self._first_hour[rows[self._requests[rows] == 0]] = hour
        self._requests[rows] += counts
        self._completed[rows] += np.add.reduceat((~calls.failed)[order], starts, dtype=np.int64)
        self._ring[rows, hour % HOURS_TOLD] = np.minimum(counts, 65_535)
        self._prompts[rows] += counts.astype(np.int32)
        self._note_bank()
        said = bank[order]
        self._long[rows] += np.add.reduceat(self._bank_long[said], starts, dtype=np.int32)
        ends = np.r_[starts, len(said)]
        once = np.ones(len(said), np.int32)
        self._sum[rows] += csr_array((once, said, ends), shape=(len(rows), len(self._bank))) @ self._bank
        evidence = self._evidence(rows, hour, [self._bank_links[row] for row in said[starts].tolist()])
        full = rows[self._prompts[rows] >= FADE_PROMPTS]
        while len(full):
            self._sum[full] //= 2
            self._prompts[full] //= 2
            self._long[full] //= 2
            full = full[self._prompts[full] >= FADE_PROMPTS]
        return Hour(hour, evidence, rows, calls, aside)

    def _note_bank(self) -> None:
        """What is read of the rows that the bank has got since."""
        fresh = self._content.kept[len(self._bank_links) :]
        if not fresh:
            return
        for one in fresh:
            values = identifiers(_event(**msgspec.structs.asdict(one)))[0][_CONTENT:]
            both = zip(_KINDS[_CONTENT:], values, strict=True)
            self._bank_links.append(tuple((kind, value) for kind, value in both if value))
        longer = np.array([one.prompt_chars >= MIN_CHARS for one in fresh])
        vectors = np.frombuffer(b"".join(one.prompt_embedding for one in fresh), np.int8).astype(np.int32)
        vectors = vectors.reshape(-1, FEATURE_DIMENSIONS)
        vectors[~longer, STRUCTURE] = 0
        self._bank_long = np.concatenate([self._bank_long, longer])
        self._bank = np.concatenate([self._bank, vectors])

    def _evidence(
        self, rows: Ints, hour: int, content: list[tuple[tuple[int, int], ...]]
    ) -> list[AccountEvidence]:
        back = (hour - np.arange(HOURS_TOLD - 1, -1, -1)) % HOURS_TOLD
        hourly = np.minimum(self._ring[rows][:, back], 255).astype(np.uint8)
        means = MEAN_SCALE * self._sum[rows] / np.maximum(self._prompts[rows], 1)[:, None]
        means[:, STRUCTURE] *= (self._prompts[rows] / np.maximum(self._long[rows], 1))[:, None]
        means = np.clip(np.rint(means), -127, 127).astype(np.int8)
        columns = zip(
            rows.tolist(), content, map(bytes, means), map(bytes, hourly),
            self._prompts[rows].tolist(), self._requests[rows].tolist(), self._completed[rows].tolist(),
            self._first_hour[rows].tolist(), strict=True,
        )  # fmt: skip
        found = []
        self._describe(rows)
        for row, changing, mean, course, prompts, requests, completed, first in columns:
            fixed = self._fixed[row]
            found.append(
                AccountEvidence(
                    tenant_id=fixed.tenant_id,
                    account_id=fixed.account_id,
                    hour=hour,
                    links=fixed.links + changing,
                    owner=fixed.owner,
                    prompts=prompts,
                    mean=mean,
                    requests=requests,
                    completed=completed,
                    hourly=course,
                    created_hour=fixed.created_hour or first,
                    first_hour=first,
                    constants=fixed.constants,
                )
            )
        return found

    def _describe(self, rows: Ints) -> None:
        """What never changes about those that ask for the first time."""
        new = [row for row in rows.tolist() if row not in self._fixed]
        constants = described(self._traffic.population, np.array(new, np.int64)) if new else []
        for row, constant in zip(new, constants, strict=True):
            event = _event(**_decoder.decode(constant.as_py()[:-1] + "}"))
            values, owner, same, created_hour, asn = identifiers(event)
            self._fixed[row] = _Fixed(
                event.tenant_id,
                event.account_id,
                ties(values, asn),
                owner or hash64(event.account_key),
                same,
                created_hour,
            )


class _Fixed(NamedTuple):
    """What never changes about an account."""

    tenant_id: str
    account_id: str
    links: tuple[tuple[int, int], ...]
    owner: int
    constants: int
    created_hour: int


_decoder = msgspec.json.Decoder()


def _event(**fields: object) -> RequestEvent:
    """Event with some fields; the required ones without meaning where they are missing."""
    required = {"schema_version": 1, "event_id": "-", "time": "2026-01-01T00:00:00Z", "account_id": "-"}
    return msgspec.convert({**required, **fields}, RequestEvent)
