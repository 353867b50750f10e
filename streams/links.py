"""Links of an account: taken from its requests, kept in its row, told once an hour as evidence.

An account's identifiers change rarely, so they are read from the first request of each of its active hours
only: that keeps the cost per request far below a microsecond, and "first request of an hour" does not
depend on how records are batched. What an account writes is summed over all of its prompts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest as digest

from schemas.event import RequestEvent
from schemas.evidence import HOURS_TOLD, AccountEvidence, LinkKind
from streams import windows
from streams.account_table import AccountTable
from streams.batch import FEATURE_DIMENSIONS
from streams.hashing import HashCache, hash64
from streams.segment import Segment, sum_stretches
from streams.windows import HOUR_MS

Slots = NDArray[np.intp]

FIELDS: dict[LinkKind, str] = {
    LinkKind.PAYMENT: "payment_hash",
    LinkKind.DEVICE: "device_hash",
    LinkKind.NETWORK: "client_network_hash",
    LinkKind.EMAIL_DOMAIN: "email_domain_hash",
    LinkKind.TLS: "tls_fingerprint",
    LinkKind.TEMPLATE: "template_hash",
    LinkKind.SYSTEM_PROMPT: "system_hash",
}
CONTENT = frozenset({LinkKind.TEMPLATE, LinkKind.SYSTEM_PROMPT})
_KINDS = tuple(map(int, FIELDS))
_read_links: Callable[[RequestEvent], tuple[str | None, ...]] = attrgetter(*FIELDS.values())

FADE_PROMPTS = 128
"""Sum and count of prompts are halved at the first look at which there are so many. Between two looks come
at most `streams.checkpoints.MAX_GAP` (128) more, so 255 x 127 fits an int16."""

MEAN_SCALE = 2
"""`AccountEvidence.mean` is the mean times this: a byte of a mean prompt seldom passes 40."""

_STRUCTURE = slice(64, 128)
_HELD_BY_SHIFT = "shift"
"""The structure group of the feature vector is summed by the detector of this name; its sum is used where
there is one, which saves 128 bytes an account."""
_KEPT = FEATURE_DIMENSIONS - 64

NAME = "links"
"""Of these columns in the account table."""

COLUMNS = np.dtype(
    [
        ("hour", "<i4"),  # of the request the links were read from
        ("values", "<u8", (len(_KINDS),)),
        ("owner", "<u8"),
        ("constants", "<u8"),
        ("created_hour", "<i4"),
        ("asn", "<u4"),
        ("prompts", "<u2"),
        ("sum", "<i2", (_KEPT,)),
    ]
)

_hash = HashCache()


def identifiers(event: RequestEvent) -> tuple[list[int], int, int, int, int]:
    """Values of the links in the order of `FIELDS` (0: none), owner (0: none), hash of the request settings,
    epoch hour in which the account was made (0: not known), autonomous system (0: not known)."""
    both = zip(_read_links(event), _scopes(event.fingerprint_id or ""), strict=True)
    values = [digest(text.encode(), scope) or 1 if text else 0 for text, scope in both]
    settings = _settings(event.temperature, event.max_tokens, event.top_p)
    created = event.account_created_at
    hour = 0 if created is None else int(created.timestamp()) // 3600
    owner = _hash(event.organization_id) if event.organization_id else 0
    return values, owner, settings, hour, min(event.client_asn or 0, 2**32 - 1)


def ties(values: list[int], asn: int) -> tuple[tuple[int, int], ...]:
    """`AccountEvidence.links` of what `identifiers` gave."""
    pairs = zip((int(LinkKind.ASN), *_KINDS), (asn, *values), strict=True)
    return tuple([pair for pair in pairs if pair[1]])


@lru_cache(64)
def _scopes(fingerprint_id: str) -> list[int]:
    """Salts of the links in the order of `FIELDS`: fingerprints under different keys must never meet."""
    return [
        hash64(f"{kind}\x1f{fingerprint_id if kind in CONTENT else ''}") for kind in FIELDS
    ]


@lru_cache(4096)
def _settings(*settings: float | None) -> int:
    return hash64("\x1f".join(map(str, settings)))


def update(table: AccountTable, segment: Segment) -> None:
    """Fold a segment into the link columns of its accounts."""
    mine: NDArray[Any] = table.rows[NAME]
    batch, slots = segment.batch, segment.slots
    has = segment.take(batch.has_features)
    if has.any():
        mine["prompts"][slots] += np.add.reduceat(has, segment.starts, dtype=np.uint16)
        total = sum_stretches(segment.take(batch.features), segment.starts)
        mine["sum"][slots] += np.hstack([total[:, : _STRUCTURE.start], total[:, _STRUCTURE.stop :]])
    hours = segment.hours
    newest = np.maximum.reduceat(hours, segment.starts)
    fresh = newest > mine["hour"][slots]
    if not fresh.any():
        return
    first = np.flatnonzero(np.repeat(fresh, segment.counts) & (hours == np.repeat(newest, segment.counts)))
    _, place = np.unique(segment.event_slots[first], return_index=True)
    first = first[place]
    where = segment.event_slots[first]
    rows = [identifiers(batch.events[number]) for number in segment.index[first].tolist()]
    mine["hour"][where] = hours[first]
    mine["values"][where] = np.array([row[0] for row in rows], np.uint64)
    mine["owner"][where] = np.array([row[1] for row in rows], np.uint64)
    mine["constants"][where] = np.array([row[2] for row in rows], np.uint64)
    mine["created_hour"][where] = [row[3] for row in rows]
    mine["asn"][where] = [row[4] for row in rows]


def fade(table: AccountTable, slots: Slots) -> None:
    """Let old prompts count less. Called at looks only (see `streams.checkpoints`)."""
    mine: NDArray[Any] = table.rows[NAME]
    full = slots[mine["prompts"][slots] >= FADE_PROMPTS]
    if len(full):
        mine["sum"][full] //= 2
        mine["prompts"][full] //= 2


def evidence(table: AccountTable, slots: Slots, hour: int) -> list[AccountEvidence]:
    """Summaries of accounts with requests in `hour`, in the order of `slots`."""
    if not len(slots):
        return []
    rows, mine = table.rows, table.rows[NAME][slots]
    back = hour - np.arange(HOURS_TOLD - 1, -1, -1, dtype=np.int64)
    repeated = np.repeat(slots, HOURS_TOLD)
    counts = windows.at(rows["hour_requests"], rows["hour_head"], repeated, np.tile(back, len(slots)))
    hourly = np.minimum(counts, 255).astype(np.uint8).reshape(-1, HOURS_TOLD)
    prompts = mine["prompts"].astype(np.int64)
    means = _means(table, slots)
    first = rows["first_ms"][slots] // HOUR_MS
    # what has come for later hours already is left out, so that this does not depend on who was faster
    ahead = _later(rows, "hour_requests", slots, hour)
    failed_ahead = _later(rows, "hour_failures", slots, hour)
    requests = np.maximum(rows["events"][slots].astype(np.int64) - ahead, 0)
    completed = np.maximum(rows["completed"][slots].astype(np.int64) - (ahead - failed_ahead), 0)
    created = np.where(mine["created_hour"] > 0, mine["created_hour"], first)
    found = (rows["found_hour"][slots] > 0) & (rows["found_hour"][slots] <= hour)
    columns = (
        slots, mine["values"], mine["owner"], mine["constants"], prompts, requests, completed, created, first,
        found, mine["asn"],
    )  # fmt: skip
    told = []
    for number, (
        slot, values, owner, constants, prompts, requests, completed, created, first, found, asn
    ) in enumerate(zip(*(column.tolist() for column in columns), strict=True)):  # fmt: skip
        key = table.key(slot)
        tenant_id, _, account_id = key.partition(":")
        told.append(
            AccountEvidence(
                tenant_id=tenant_id,
                account_id=account_id,
                hour=hour,
                links=ties(values, asn),
                owner=owner or hash64(key),
                prompts=prompts,
                mean=means[number].tobytes() if prompts else b"",
                requests=requests,
                completed=completed,
                hourly=hourly[number].tobytes(),
                created_hour=created,
                first_hour=first,
                constants=constants,
                found=found,
            )
        )
    return told


def _means(table: AccountTable, slots: Slots) -> NDArray[np.int8]:
    """int8 (m, 256): `MEAN_SCALE` times the mean prompt."""
    mine: NDArray[Any] = table.rows[NAME][slots]
    means = np.zeros((len(slots), FEATURE_DIMENSIONS))
    own = mine["sum"] / np.maximum(mine["prompts"], 1)[:, None]
    means[:, : _STRUCTURE.start], means[:, _STRUCTURE.stop :] = np.split(own, [_STRUCTURE.start], axis=1)
    if _HELD_BY_SHIFT in (table.dtype.names or ()):
        shift: NDArray[Any] = table.rows[_HELD_BY_SHIFT][slots]
        means[:, _STRUCTURE] = shift["sum"] / np.maximum(shift["count"], 1)[:, None]
    rounded: NDArray[np.int8] = np.clip(np.rint(MEAN_SCALE * means), -127, 127).astype(np.int8)
    return rounded


def _later(rows: NDArray[Any], name: str, slots: Slots, hour: int) -> NDArray[np.int64]:
    """int64 (m,): what the ring holds of hours after `hour`."""
    after = np.full(len(slots), hour + 1, np.int64)
    counts = windows.span(rows[name], rows["hour_head"], slots, after, after + windows.HOURS)
    total: NDArray[np.int64] = counts.sum(axis=1).astype(np.int64)
    return total
