"""`Source`: some prompts of one writer, and what is kept of them in a bank (`streams.simulation.content`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import NamedTuple, Self, TypeVar

import msgspec

from streams.fingerprint import Fingerprint, Fingerprinter
from streams.simulation.population import Voice
from streams.simulation.text.writers import WRITERS, Message

CHARACTERS: dict[str, int] = {"person": 600, "developer": 300, "completion": 150, "agent": 150}
"""Writers whose sources are characters, and how many of these there are."""
FREE_WRITERS = frozenset({*CHARACTERS, "assistant"})
"""Writers without a template, whose following messages are not like their first."""
_EDGES = ("template_hash", "template_tail_hash")
_encode = msgspec.json.Encoder().encode


class Source(NamedTuple):
    """Some prompts of one writer."""

    voice: Voice
    turn: int
    prompts: int

    @classmethod
    def of(cls, voice: Voice, prompts: int, turn: int) -> Self:
        """The same source for all turns of a writer whose messages are all alike."""
        return cls(voice, turn if voice.writer in FREE_WRITERS else 0, prompts)

    def say(self) -> list[Message]:
        """Prompts and system prompts; the same ones always."""
        writer, said = WRITERS[self.voice.writer], []
        lot = (self.voice.seed * 0x9E3779B97F4A7C15 >> 24) & 0xFFFFFF
        for number in range(self.prompts):
            event = number + lot * self.voice.templates << 16
            said.append(writer(self.voice.seed_of(event), lot + number // 3, self.turn, event))
        return said

    def kept(self, made: Sequence[Fingerprint]) -> list[Fingerprint]:
        """Fingerprints of what it says, with the templates that recur in it and are none of free words."""
        free = self.voice.writer in FREE_WRITERS
        heads, tails = (Counter(getattr(one, name) for one in made if not free) for name in _EDGES)
        return [
            msgspec.structs.replace(
                one,
                template_hash=one.template_hash if heads[one.template_hash] > 1 else None,
                template_tail_hash=one.template_tail_hash if tails[one.template_tail_hash] > 1 else None,
            )
            for one in made
        ]


def written(fingerprinter: Fingerprinter, sources: Sequence[Source]) -> list[list[Fingerprint]]:
    """Fingerprints of all that each source says. Fingerprinted together: one by one takes longer."""
    made = iter(fingerprinter.fingerprint_all([words for one in sources for words in one.say()]))
    return [one.kept(list(islice(made, one.prompts))) for one in sources]


def endings(fingerprinter: Fingerprinter, sources: Sequence[Source]) -> list[list[bytes]]:
    """The same as the end of a JSON line: what a fingerprint knows, from a comma to the line feed."""
    return [[_ending(one) for one in made] for made in written(fingerprinter, sources)]


def _ending(made: Fingerprint) -> bytes:
    known = {name: value for name, value in msgspec.structs.asdict(made).items() if value is not None}
    return b",%b\n" % _encode(known)[1:]


Row = TypeVar("Row")
Write = Callable[[Sequence[Source]], Iterable[Sequence[Row]]]
"""What `written` or `endings` gives of some sources. It may be begun at once and be waited for where it is
iterated."""
