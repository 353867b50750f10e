"""Simulated traffic to a folder or onto the bus, and what is true about it to a file beside it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from enum import StrEnum
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import msgspec

from agents import bus
from agents.long_file import LongFile
from agents.parallel import Pool, ahead, pool
from agents.readers import reader
from agents.settings import Settings
from schemas.errors import InvalidSetting
from schemas.topics import RAW_NATIVE
from streams.fingerprint import Fingerprinter
from streams.simulation.content import Content
from streams.simulation.lines import Lines
from streams.simulation.population import Population
from streams.simulation.scenario import Scenario
from streams.simulation.sources import Source, endings
from streams.simulation.traffic import Record, Traffic

EVENTS, TRUTH, SCENARIO = "events.jsonl", "truth.jsonl", "scenario.json"
PORTION = 2_000
"""Records with text that are handed on together."""
_TURN_RECORDS = 500
_FEW_SOURCES = 256
"""So many are written sooner than a pool of processes has begun."""
_PART_SOURCES = 8
"""Handed to a process at a time."""


class Words(StrEnum):
    """What records say of the content of requests."""

    TEXT = "text"
    """Raw prompts, all different; INGEST makes fingerprints of them."""
    FINGERPRINTS = "fingerprints"
    """Fingerprints under the fleet's secret, from a bank of prompts; far faster, for campaigns. Accounts
    repeat themselves after some dozens of requests, which detectors of single accounts may take amiss."""
    NONE = "none"


class Sent(msgspec.Struct):
    """How far a simulation has come."""

    records: int = 0
    bytes: int = 0
    time_ms: int = 0
    elapsed_s: float = 0.0

    @property
    def per_s(self) -> float:
        return self.records / self.elapsed_s if self.elapsed_s else 0.0


class Portion(NamedTuple):
    """Consecutive records."""

    time_ms: int
    """Of the last."""
    size: int
    """Records."""
    data: bytes | memoryview
    """Values, each with a line feed."""
    records: Callable[[], Iterator[tuple[bytes, bytes]]]
    """Key and value of each."""


Tell = Callable[[Sent], None]


def sized(
    scenario: Scenario, *, seed: int, accounts: int | None = None, hours: int | None = None
) -> Scenario:
    """The scenario as it is simulated.

    Args:
        accounts: of the whole world, about: sets the scale by which all numbers of accounts are multiplied.
        hours: instead of the scenario's; what is declared as a share of the span moves with it.

    Raises:
        InvalidSetting: more accounts than the scenario has.
    """
    if accounts is not None:
        scale = accounts / scenario.declared_accounts
        if scale > 1.02:
            problem = f"the scenario is about {scenario.declared_accounts:,.0f} accounts, not {accounts:,}"
            raise InvalidSetting("--accounts", problem, "Ask for fewer, or declare more in a file")
        scenario = msgspec.structs.replace(scenario, scale=min(scale, 1.0))
    if hours is not None:
        scenario = msgspec.structs.replace(scenario, duration_s=hours * 3600)
    return msgspec.structs.replace(scenario, seed=seed).scaled().drawn()


def portions(scenario: Scenario, words: Words, settings: Settings) -> tuple[Population, Iterator[Portion]]:
    """Records of a scenario in time order, and whom they are about."""
    traffic = Traffic(scenario, text=words is Words.TEXT)
    if words is Words.TEXT:
        return traffic.population, _written(traffic)
    if words is Words.NONE:
        return traffic.population, _drawn(Lines(traffic))
    secret = settings.ingest.fingerprint_secret.get_secret_value().encode()
    printer = Fingerprinter(secret, settings.ingest.fingerprint_generation)
    return traffic.population, _with_content(traffic, printer)


def _written(traffic: Traffic) -> Iterator[Portion]:
    records = iter(traffic)
    while part := list(islice(records, PORTION)):
        data = b"".join(one.value + b"\n" for one in part)
        yield Portion(part[-1].time_ms, len(part), data, partial(_pairs, part))


def _pairs(records: list[Record]) -> Iterator[tuple[bytes, bytes]]:
    return ((one.key, one.value) for one in records)


def _drawn(lines: Lines) -> Iterator[Portion]:
    for part in ahead(draft.write for draft in lines.drafts()):
        yield Portion(int(part.time_ms[-1]), len(part.ends), part.data, partial(lines.records, part))


def _with_content(traffic: Traffic, printer: Fingerprinter) -> Iterator[Portion]:
    """The bank is written by all processors; most of it is asked for by the first hours."""
    with ExitStack() as opened:
        workers: list[Pool] = []

        def write(sources: Sequence[Source]) -> Iterable[list[bytes]]:
            if not workers:
                if len(sources) <= _FEW_SOURCES:
                    return endings(printer, sources)
                workers.append(opened.enter_context(pool(printer)))
            parts = [sources[at : at + _PART_SOURCES] for at in range(0, len(sources), _PART_SOURCES)]
            return chain.from_iterable(workers[0].map(endings, parts))

        yield from _drawn(Lines(traffic, Content(traffic.population, write)))


def to_folder(
    scenario: Scenario, words: Words, settings: Settings, folder: Path, tell: Tell = lambda sent: None
) -> Sent:
    """Write `EVENTS`, `TRUTH` (a line an account) and `SCENARIO` into a folder that has none of them.

    Raises:
        InvalidSetting: it cannot be written, or holds another simulation.
    """
    sent, started = Sent(), time.perf_counter()
    population, parts = portions(scenario, words, settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with LongFile(folder / EVENTS) as file:
            write_truth(population, folder)
            # a disk takes as long for a slice as drawing the next one does
            for part in ahead(partial(_put, file, part) for part in parts):
                sent.bytes += len(part.data)
                _count(sent, part, started)
                tell(sent)
    except FileExistsError as error:
        problem = f"{error.filename} is there already"
        raise InvalidSetting("--out", problem, "Name another folder, or remove it") from error
    except OSError as error:
        problem = f"cannot write into {folder}: {error.strerror}"
        raise InvalidSetting("--out", problem, "Name another folder") from error
    return sent


def _put(file: LongFile, part: Portion) -> Portion:
    file.write(part.data)
    return part


def write_truth(population: Population, folder: Path) -> None:
    """What only the simulation knows: each account's campaign, crowd or habit, and the scenario itself."""
    folder.mkdir(parents=True, exist_ok=True)
    truth = population.truth()
    with (folder / TRUTH).open("xb") as file:
        for account, habit in truth.habits.items():
            known = {"account_id": account, "habit": habit, "crowd": truth.crowds.get(account)}
            file.write(msgspec.json.encode({k: v for k, v in known.items() if v}) + b"\n")
        for campaign, accounts in truth.campaigns.items():
            for account in accounts:
                file.write(msgspec.json.encode({"account_id": account, "campaign": campaign}) + b"\n")
    text = json.dumps(msgspec.to_builtins(population.scenario), indent=1)
    (folder / SCENARIO).write_text(text + "\n", encoding="utf-8")


async def to_bus(
    scenario: Scenario, words: Words, settings: Settings, tell: Tell = lambda sent: None
) -> Sent:
    """Send all records to the native raw topic as fast as it takes them.

    Raises:
        BusUnavailable: no broker answers.
        Fatal: the topic is not there.
    """
    from agents.outbox import Outbox  # Kafka's client: a folder can do without

    reader(settings, "native")  # the secret is checked before anything is sent
    sent, started = Sent(), time.perf_counter()
    _, parts = portions(scenario, words, settings)
    outbox = Outbox(bus.connection(settings).client_options())
    await outbox.start()
    try:
        await outbox.learn(RAW_NATIVE.name)
        for part in parts:
            for number, (key, value) in enumerate(part.records()):
                outbox.put(RAW_NATIVE.name, key, value)
                if number % _TURN_RECORDS == 0:
                    await asyncio.sleep(0)
                    await outbox.room()
            sent.bytes += len(part.data)
            _count(sent, part, started)
            tell(sent)
        await outbox.mark()
    finally:
        await outbox.stop()
    return sent


def _count(sent: Sent, part: Portion, started: float) -> None:
    sent.records += part.size
    sent.time_ms = part.time_ms
    sent.elapsed_s = time.perf_counter() - started
