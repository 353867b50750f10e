"""`Workload`: the requests every bench reads, the same for every engine, made from a seed.

Canonical request events as INGEST writes them: keyed by account, with the origin header, fingerprints made by
the real `Fingerprinter`. How often an account appears follows Zipf's law. One rank in 500 of it fills a
template, so there is something to find. Kafka's timestamp is the event time: the peers' windows rest on it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.ingest import ORIGIN, pack_origin, source_of
from schemas.event import RequestEvent, encode_event
from schemas.finding import utc_from_ms
from schemas.partitioning import partition_for
from schemas.topics import RAW_NATIVE
from streams.fingerprint import Fingerprint, Fingerprinter
from streams.origins import Origin
from tests.bench.windowed_job import CLOSER, FLAG_ABOVE

START = datetime(2025, 6, 1, 12, 55, tzinfo=UTC)
"""So that an hour closes in the middle; past, because Kafka takes no record from the future."""
START_MS = round(START.timestamp() * 1000)
MINUTE_MS = 60_000
CLOSER_AFTER_MS = 600_000

ZIPF_EXPONENT = 1.0
PROMPTS = 4096
"""Different texts whose sketches are reused; digests of prompts are different for every event."""
TEMPLATED_EVERY = 500
WORDS = (
    "how do i write a function that sorts the list of numbers in python and explain why it is faster than "
    "the other one please translate this sentence to german summarise text below for an executive audience "
    "what would be best way plan trip with two children under ten dollars data table query join index error "
    "fix bug below code review test improve story about dragon city night rain letter boss holiday recipe"
).split()

MODELS = ("atlas-4-large", "atlas-4-mini", "atlas-3-large")
PLANS = ("free", "pro", "team", "enterprise")
AGENTS = ("llm-sdk-python/2.8.1", "llm-sdk-node/5.3.0", "curl/8.9.1", "Mozilla/5.0 (X11; Linux x86_64)")
COUNTRIES = ("US", "IN", "DE", "GB", "BR", "FR", "JP", "CA")


class Record(NamedTuple):
    """One record of the requests topic."""

    partition: int
    key: bytes
    value: bytes
    timestamp_ms: int
    headers: list[tuple[str, bytes]]


@dataclass(frozen=True)
class Workload:
    """A stream of request events.

    Args:
        events: how many.
        accounts: how many accounts they are drawn from.
        span_s: event time they are spread over, evenly.
    """

    events: int = 1_000_000
    accounts: int = 100_000
    partitions: int = 8
    span_s: int = 600
    seed: int = 1
    every_account: bool = False
    """Each account at least once, in a random order, before Zipf's law holds."""

    @cached_property
    def number_of_rank(self) -> NDArray[np.int64]:
        """int64 (accounts,): account by how busy it is, busiest first."""
        return np.random.default_rng([self.seed, 0]).permutation(self.accounts)

    @cached_property
    def account(self) -> NDArray[np.int64]:
        """int64 (events,): number of each event's account."""
        rng = np.random.default_rng([self.seed, 1])
        share = 1.0 / np.arange(1, self.accounts + 1) ** ZIPF_EXPONENT
        rank = np.searchsorted(np.cumsum(share) / share.sum(), rng.random(self.events))
        account = self.number_of_rank[np.minimum(rank, self.accounts - 1)]
        if self.every_account:
            account[: self.accounts] = rng.permutation(self.accounts)
        return account

    @cached_property
    def time_ms(self) -> NDArray[np.int64]:
        """int64 (events,), ascending."""
        rng = np.random.default_rng([self.seed, 2])
        return START_MS + np.sort(rng.integers(0, self.span_s * 1000, self.events))

    @cached_property
    def input_tokens(self) -> NDArray[np.int64]:
        rng = np.random.default_rng([self.seed, 3])
        return np.minimum(rng.lognormal(5.5, 1.2, self.events), 100_000).astype(np.int64) + 1

    @cached_property
    def output_tokens(self) -> NDArray[np.int64]:
        rng = np.random.default_rng([self.seed, 4])
        return np.minimum(rng.lognormal(5.0, 1.0, self.events), 16_000).astype(np.int64) + 1

    def records(self) -> Iterator[Record]:
        """All records, in time order."""
        rng = random.Random(self.seed)
        fingerprints = _fingerprints(rng, PROMPTS)
        templated = templated_fingerprints(rng, 256)
        campaign = set(self.number_of_rank[TEMPLATED_EVERY // 5 :: TEMPLATED_EVERY].tolist())
        source, fixed, placed = source_of(RAW_NATIVE.name), {}, {}
        columns = (self.account, self.time_ms, self.input_tokens, self.output_tokens)
        for number, (account, time_ms, tokens_in, tokens_out) in enumerate(
            zip(*(column.tolist() for column in columns), strict=True)
        ):
            constant = fixed.get(account)
            if constant is None:
                constant = fixed[account] = _constants(account)
                placed[account] = partition_for(f"default:{account_id(account)}".encode(), self.partitions)
            pool = templated if account in campaign else fingerprints
            print_ = pool[rng.randrange(len(pool))]
            head, tail = print_.template_hash, print_.template_tail_hash
            event = RequestEvent(
                schema_version=1,
                event_id=f"{rng.getrandbits(128):032x}",
                time=START + timedelta(milliseconds=time_ms - START_MS),
                input_tokens=tokens_in,
                output_tokens=tokens_out,
                status="success" if rng.random() < 0.97 else "failure",
                duration_s=round(tokens_out / 60, 3),
                fingerprint_id=print_.fingerprint_id,
                prompt_hash=f"hmac-sha256:{rng.getrandbits(128):032x}",
                template_hash=head,
                template_tail_hash=tail,
                prompt_simhash=print_.prompt_simhash,
                prompt_embedding=print_.prompt_embedding,
                prompt_topic=print_.prompt_topic,
                prompt_language=print_.prompt_language,
                prompt_chars=print_.prompt_chars,
                reasoning_elicitation=round(print_.reasoning_elicitation, 3),
                **constant,
            )
            # As if 8 raw partitions were read in turns.
            origin = Origin(source, number % 8, number // 8)
            yield Record(
                placed[account],
                event.account_key.encode(),
                encode_event(event),
                time_ms,
                [(ORIGIN, pack_origin(origin))],
            )
        yield from self._closers()

    def _closers(self) -> Iterator[Record]:
        """One late request to each partition, see `tests.bench.windowed_job.CLOSER`."""
        time_ms = START_MS + self.span_s * 1000 + CLOSER_AFTER_MS
        number, missing = 0, set(range(self.partitions))
        while missing:
            account, number = f"{CLOSER}-{number}", number + 1
            key = f"default:{account}".encode()
            if (partition := partition_for(key, self.partitions)) in missing:
                missing.remove(partition)
                event = RequestEvent(
                    schema_version=1, event_id=account, time=utc_from_ms(time_ms), account_id=account,
                    input_tokens=1, output_tokens=1,
                )
                yield Record(partition, key, encode_event(event), time_ms, [])

    @property
    def records_in_all(self) -> int:
        """Events and closers."""
        return self.events + self.partitions

    def flagged(self) -> set[tuple[str, int, int, int]]:
        """What the windowed job must flag: account, minute, requests, tokens."""
        minute = self.time_ms // MINUTE_MS
        pair, back, requests = np.unique(
            self.account << 32 | minute, return_inverse=True, return_counts=True
        )
        tokens = np.bincount(back, weights=self.input_tokens + self.output_tokens).astype(np.int64)
        busy = requests > FLAG_ABOVE
        return {
            (account_id(key >> 32), key & 0xFFFFFFFF, count, total)
            for key, count, total in zip(
                pair[busy].tolist(), requests[busy].tolist(), tokens[busy].tolist(), strict=True
            )
        }


def account_id(number: int) -> str:
    """Id of an account by its number."""
    return f"acct-{number:08d}"


def _constants(number: int) -> dict[str, Any]:
    """What all requests of an account have in common."""
    rng = random.Random(number)

    def digest() -> str:
        return f"hmac-sha256:{rng.getrandbits(128):032x}"

    return {
        "source": "litellm",
        "account_id": account_id(number),
        "account_created_at": START - timedelta(days=rng.randrange(1, 700)),
        "account_plan": rng.choice(PLANS),
        "payment_hash": digest() if rng.random() < 0.5 else None,
        "provider": "atlas",
        "request_model": (model := rng.choice(MODELS)),
        "response_model": model,
        "stream": rng.random() < 0.6,
        "temperature": rng.choice((None, 0.0, 0.7, 1.0)),
        "max_tokens": rng.choice((None, 1024, 4096)),
        "client_network_hash": digest(),
        "client_asn": rng.randrange(1000, 60_000),
        "client_country": rng.choice(COUNTRIES),
        "user_agent": rng.choice(AGENTS),
        "system_hash": digest() if rng.random() < 0.3 else None,
    }


def _fingerprints(rng: random.Random, count: int) -> list[Fingerprint]:
    maker = Fingerprinter(b"bench", "k1")
    return [maker.fingerprint(" ".join(rng.choices(WORDS, k=rng.randrange(5, 90)))) for _ in range(count)]


def templated_fingerprints(rng: random.Random, count: int) -> list[Fingerprint]:
    """Of exercises poured into one mould."""
    maker = Fingerprinter(b"bench", "k1")
    mould = "you are an expert teacher solve the following exercise step by step {} and show your reasoning"
    return [maker.fingerprint(mould.format(" ".join(rng.choices(WORDS, k=30)))) for _ in range(count)]
