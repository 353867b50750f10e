"""`EventBatch`: the events of one run as columns, of the fields that detection needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property
from itertools import chain, repeat
from typing import Any

import numpy as np
from msgspec.structs import astuple
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest as digest

from schemas.event import RequestEvent
from streams.encoded_events import FIELDS, FIELDS_IN_ORDER, EncodedEvents, decode_fields, read_fields
from streams.hashing import HashCache

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Hashes = NDArray[np.uint64]
Bools = NDArray[np.bool_]

FEATURE_DIMENSIONS = 256
"""Length of `RequestEvent.prompt_embedding` that detectors read; other lengths are ignored."""

TOPICS: tuple[str, ...] = ("coding", "agentic", "reasoning", "grading", "translation", "chat", "other")
"""Capability classes of `RequestEvent.prompt_topic`."""
_TOPIC_PLACES: dict[str | None, int] = {name: place for place, name in enumerate(TOPICS)}

_names = HashCache()

CHUNK = 256
"""Events decoded at a time: few enough that they are still in the processor's cache when their columns are
made. Reading columns from two thousand events at once takes twice as long."""


class EventBatch:
    """Columns over `events`, each computed when first asked for.

    Args:
        events: in arrival order.
        offsets: position of each event in its requests partition, increasing; -1 where there is none.
    """

    def __init__(self, events: Sequence[RequestEvent], offsets: Ints) -> None:
        self.events = events
        self.offsets = offsets
        self.slot: NDArray[np.intp] = np.empty(0, np.intp)
        """Row of each event's account in the `AccountTable`; set by the plane."""

    @classmethod
    def decode(cls, values: Sequence[bytes]) -> EventBatch:
        """Batch of canonical JSON (see `schemas.event.decode_trusted_event`), offsets not set. Its columns
        are made here, of the fields they need; a whole event is decoded when `events` is asked for it.

        Raises:
            msgspec.DecodeError: the bytes are no JSON, or a field needed is missing or has a wrong type.
        """
        whole = cls(EncodedEvents(values), np.full(len(values), -1))
        chunks = []
        for start in range(0, len(values), CHUNK):
            events = [decode_fields(value) for value in values[start : start + CHUNK]]
            chunk = cls(events, whole.offsets[start : start + CHUNK])
            chunk._fields = dict(zip(FIELDS_IN_ORDER, zip(*map(astuple, events), strict=True), strict=True))
            chunks.append([getattr(chunk, name) for name in COLUMNS])
        for name, parts in zip(COLUMNS, zip(*chunks, strict=True), strict=False):
            is_list = isinstance(parts[0], list)
            whole.__dict__[name] = list(chain.from_iterable(parts)) if is_list else np.concatenate(parts)
        return whole

    def __len__(self) -> int:
        return len(self.events)

    def part(self, positions: NDArray[np.intp]) -> EventBatch:
        """The events at some ascending positions; the batch itself where these are all."""
        if len(positions) == len(self):
            return self
        places = positions.tolist()
        if isinstance(self.events, EncodedEvents):
            events: Sequence[RequestEvent] = EncodedEvents([self.events.values[place] for place in places])
        else:
            events = [self.events[place] for place in places]
        part = EventBatch(events, self.offsets[positions])
        for name in COLUMNS:
            if (column := self.__dict__.get(name)) is not None:
                is_list = isinstance(column, list)
                part.__dict__[name] = [column[place] for place in places] if is_list else column[positions]
        return part

    @cached_property
    def _fields(self) -> dict[str, tuple[Any, ...]]:
        """Fields of all events by name. Read in one pass: events lie scattered in memory, and going through
        them once for every column would cost more than all columns."""
        if not self.events:
            return dict.fromkeys(FIELDS, ())
        return dict(zip(FIELDS, zip(*map(read_fields, self.events), strict=True), strict=True))

    @cached_property
    def account_keys(self) -> list[str]:
        """`RequestEvent.account_key` of each event."""
        pairs = zip(self._fields["tenant_id"], self._fields["account_id"], strict=True)
        return [f"{tenant_id}:{account_id}" for tenant_id, account_id in pairs]

    @cached_property
    def created_at(self) -> list[datetime | None]:
        """`RequestEvent.account_created_at` of each event."""
        return list(self._fields["account_created_at"])

    @cached_property
    def time_ms(self) -> Ints:
        """int64 (n,), epoch milliseconds."""
        seconds = np.fromiter(map(datetime.timestamp, self._fields["time"]), np.float64, len(self.events))
        return np.rint(seconds * 1000).astype(np.int64)

    @cached_property
    def event_hash(self) -> NDArray[np.uint32]:
        """uint32 (n,): hash of `event_id`; 0 is never used."""
        hashes = np.fromiter(map(digest, map(str.encode, self._fields["event_id"])), np.uint64, len(self))
        return np.maximum(hashes.astype(np.uint32), np.uint32(1))

    @cached_property
    def input_tokens(self) -> Floats:
        return np.array(self._fields["input_tokens"], np.float64)

    @cached_property
    def output_tokens(self) -> Floats:
        return np.array(self._fields["output_tokens"], np.float64)

    @cached_property
    def max_tokens(self) -> Floats:
        """float64 (n,), NaN where the request set none."""
        return np.array(self._fields["max_tokens"], np.float64)

    @cached_property
    def temperature(self) -> Floats:
        """float64 (n,), NaN where the request set none."""
        return np.array(self._fields["temperature"], np.float64)

    @cached_property
    def choices(self) -> Ints:
        """int64 (n,): answers asked for in one request; 1 where it does not say."""
        counts = self._fields["choice_count"]
        return np.array([count or 1 for count in counts] if any(counts) else [1] * len(self), np.int64)

    @cached_property
    def logprobs(self) -> Bools:
        """bool (n,): token probabilities were asked for."""
        return np.array(self._fields["logprobs"], np.bool_)

    @cached_property
    def topic(self) -> NDArray[np.intp]:
        """intp (n,): place of `prompt_topic` in `TOPICS`; -1 where absent or unknown."""
        places = map(_TOPIC_PLACES.get, self._fields["prompt_topic"], repeat(-1))
        return np.fromiter(places, np.intp, len(self))

    @cached_property
    def elicitation(self) -> Ints:
        """int64 (n,): `reasoning_elicitation` in thousandths, so that sums are exact; -1 where absent."""
        scores = np.rint(1000 * np.array(self._fields["reasoning_elicitation"], np.float64))
        return np.where(np.isnan(scores), -1, scores).astype(np.int64)

    @cached_property
    def completed(self) -> Bools:
        """bool (n,): the caller got an answer."""
        return np.array([status == "success" for status in self._fields["status"]], np.bool_)

    def _hashes(self, name: str) -> Hashes:
        """uint64 (n,): 0 where absent. Salted with `fingerprint_id`, so that values of different
        fingerprints can never be equal."""
        texts = self._fields[name]
        if all(texts):
            found = np.fromiter(map(digest, map(str.encode, texts), self._salts), np.uint64, len(self))
            return np.maximum(found, np.uint64(1))
        both = zip(texts, self._salts, strict=True)
        return np.array([digest(text.encode(), salt) or 1 if text else 0 for text, salt in both], np.uint64)

    @cached_property
    def _salts(self) -> list[int]:
        """For hashes of each event's fingerprints."""
        ids = self._fields["fingerprint_id"]
        salts = {name: _names(name or "") & 0xFFFFFFFF for name in set(ids)}
        return list(map(salts.__getitem__, ids))

    @cached_property
    def prompt_hash(self) -> Hashes:
        return self._hashes("prompt_hash")

    @cached_property
    def head_hash(self) -> Hashes:
        return self._hashes("template_hash")

    @cached_property
    def tail_hash(self) -> Hashes:
        return self._hashes("template_tail_hash")

    @cached_property
    def system_hash(self) -> Hashes:
        return self._hashes("system_hash")

    @cached_property
    def end_user_hash(self) -> Hashes:
        return self._hashes("end_user_id")

    @cached_property
    def model_hash(self) -> Hashes:
        """uint64 (n,) of the model that answered, else of the one asked for; 0 where neither is known."""
        both = zip(self._fields["response_model"], self._fields["request_model"], strict=True)
        names = [answered or asked for answered, asked in both]
        known = {name: _names(name) if name else 0 for name in set(names)}
        return np.fromiter(map(known.__getitem__, names), np.uint64, len(self))

    @cached_property
    def has_features(self) -> Bools:
        """bool (n,): the event carries a feature vector of `FEATURE_DIMENSIONS`."""
        vectors = self._fields["prompt_embedding"]
        lengths = map(len, vectors) if all(vectors) else [len(vector) if vector else 0 for vector in vectors]
        return np.equal(np.fromiter(lengths, np.intp, len(self)), FEATURE_DIMENSIONS)

    @cached_property
    def prompt_chars(self) -> Ints:
        """int64 (n,): length of the prompt; a large number where the event does not say."""
        chars = np.array(self._fields["prompt_chars"], np.float64)
        return np.where(np.isnan(chars), 2.0**31, chars).astype(np.int64)

    @cached_property
    def features(self) -> NDArray[np.int8]:
        """int8 (n, 256); zero rows where `has_features` is false."""
        vectors, zero = list(self._fields["prompt_embedding"]), bytes(FEATURE_DIMENSIONS)
        for number in np.flatnonzero(~self.has_features).tolist():
            vectors[number] = zero
        return np.frombuffer(b"".join(vectors), np.int8).reshape(len(vectors), FEATURE_DIMENSIONS)

    def column(self, read: Callable[[RequestEvent], Any], dtype: Any) -> NDArray[Any]:
        """A column this class has no name for."""
        return np.fromiter(map(read, self.events), dtype, len(self.events))


COLUMNS = tuple(
    name
    for name, member in vars(EventBatch).items()
    if isinstance(member, cached_property) and not name.startswith("_")
)
"""Names of all columns."""
