"""`Material`: the public text and traces that an account evaluation is made of, given as data.

Everything that could leak from calibration to test is split in two here: conversations by root, ServeGen
clients by client, simulated writers by seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.fingerprint import Fingerprinter
from streams.simulation.text.grammar import Dice
from streams.simulation.text.writers import WRITERS, Message, Writer

REAL_SHARE = 0.3
"""Accounts of persons who write real conversations, as far as these go; the others are simulated writers."""
HEAVY_WRITERS = ("assistant", "processor", "job", "completion", "agent", "evaluation")
TEXTS_PER_ACCOUNT = 512
"""Distinct texts of a heavy account, its turns apart: each text is fingerprinted once."""
KEPT_TEXTS = 150_000


@dataclass(frozen=True)
class Client:
    """One ServeGen customer.

    Attributes:
        rate: float64 (slots,), requests relative to its mean, per 10-minute slot from a midnight on.
        cv: of the gaps between its requests.
        weibull: distribution of the gaps; Gamma otherwise.
    """

    rate: NDArray[np.float64]
    cv: float
    weibull: bool


@dataclass(frozen=True)
class Material:
    """What a run needs from outside.

    Attributes:
        conversations: user turns of real conversations, one list per root.
        benchmark: items of a benchmark, for the batch-evaluation customer.
        tasks: maths tasks, for reasoning harvests and homework.
        template, examples: teacher template and its (instruction, input, output) seeds.
        clients: ServeGen customers.
    """

    conversations: Sequence[Sequence[str]]
    benchmark: Sequence[str]
    tasks: Sequence[str]
    template: str
    examples: Sequence[tuple[str, str, str]]
    clients: Sequence[Client]

    def halves(self, seed: int) -> tuple[Material, Material]:
        """Calibration and test: no common conversation, benchmark item, task or client."""
        rng = np.random.default_rng([seed, 0x4A1F])
        parts: list[dict[str, Any]] = [{}, {}]
        for name in ("conversations", "benchmark", "tasks", "clients"):
            values: Sequence[Any] = getattr(self, name)
            order = rng.permutation(len(values)).tolist()
            for part, places in zip(parts, (order[::2], order[1::2]), strict=True):
                part[name] = [values[place] for place in places]
        return replace(self, **parts[0]), replace(self, **parts[1])

    def real_person(self, account: int, visit: int, turn: int, event: int) -> Message:
        """A turn of one of the real conversations; a visit is a conversation."""
        talk = Dice(account, visit).pick(self.conversations)
        return Message(talk[turn % len(talk)])

    def writers(self) -> dict[str, Writer]:
        """`WRITERS` for a simulated population: some persons write real text, heavy accounts a bounded
        number of texts."""

        def person(account: int, visit: int, turn: int, event: int) -> Message:
            if Dice(account, 0x4EA1).chance(REAL_SHARE):
                return self.real_person(account, visit, turn, event)
            return WRITERS["person"](account, visit, turn, event)

        found = dict(WRITERS)
        found["person"] = person
        for name in HEAVY_WRITERS:
            if name in found:
                found[name] = _bounded(found[name])
        return found


def _bounded(write: Writer) -> Writer:
    texts: dict[tuple[int, int, int], Message] = {}

    def bounded(account: int, visit: int, turn: int, event: int) -> Message:
        key = (account, event % TEXTS_PER_ACCOUNT, min(turn, 1))
        message = texts.get(key)
        if message is None:
            if len(texts) >= KEPT_TEXTS:
                texts.clear()
            message = texts[key] = write(account, key[1], key[2], key[1])
        return message

    return bounded


class Shelf:
    """Content fields of prompts, each distinct text fingerprinted once. Bounded: emptied when full."""

    def __init__(self, fingerprinter: Fingerprinter) -> None:
        self._fingerprint: Callable[[str, str | None], Any] = fingerprinter.fingerprint
        self._known: dict[tuple[str, str | None], Mapping[str, Any]] = {}
        self.fingerprinted = 0

    def fields(self, prompt: str, system: str | None) -> Mapping[str, Any]:
        """Fields of `schemas.event.RequestEvent` by name."""
        key = (prompt, system)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= KEPT_TEXTS:
                self._known.clear()
            found = self._known[key] = msgspec.structs.asdict(self._fingerprint(prompt, system))
            self.fingerprinted += 1
        return found
