"""Keyed content fingerprints of a prompt. Usable alone by a gateway; needs numpy and msgspec.

>>> fingerprint = Fingerprinter(b"a long random secret", "k1").fingerprint("What is the capital of France?")
>>> fingerprint.prompt_topic, fingerprint.prompt_language, fingerprint.prompt_chars
('chat', 'en', 30)

What each field is:

* ``prompt_hash``: HMAC-SHA-256 (128 bits kept) of the folded text: equal for equal prompts.
* ``template_hash``, ``template_tail_hash``: HMAC of the first and last `EDGE_WORDS` words, digits masked.
  Absent from prompts of fewer than twice as many words, whose head would be most of the content: short
  prompts of many people ("what is the ...") would look like one template.
* ``system_hash``: HMAC of the folded system prompt.
* ``prompt_minhash``: the `MINHASH_VALUES` smallest 64-bit hashes of word shingles (`SHINGLE_WORDS` words),
  ascending, little-endian (`streams.shingles`). SOURCE: A. Broder, "On the resemblance and containment of
  documents", 1997; bottom-k form: E. Cohen, H. Kaplan, "Summarizing data using bottom-k sketches", 2007.
* ``prompt_simhash``: 64-bit SimHash of the same shingles. SOURCE: M. Charikar, "Similarity estimation
  techniques from rounding algorithms", 2002.
* ``prompt_embedding``: `streams.features`. Topic, language, elicitation: `streams.capability`,
  `streams.language`.

Only the first and last characters of a long text are read, see `streams.words.LIMIT_CHARS`; what lies
between changes ``prompt_hash`` through its length alone.

**Privacy.** Without the secret, no field lets anyone test a guess at the words of a prompt; the structure
group of the vector, topic, language, length and elicitation are not keyed and tell exactly what they say
(layout, kind of task). *With* the secret, digests confirm guesses (short or public prompts can be found
by trial), the vector gives away which of a list of candidate texts is near, and words of very short
prompts can be guessed from it. Equal prompts are visible as equal to anyone: that is their purpose.
The word hash is a pseudo-random function (keyed BLAKE2b); shingle hashes mix its values without one, so
whoever collects many fingerprints *of texts known to him* may learn to test others. No field can be
turned back into a long text. Fingerprints stay personal data where accounts are persons: keep the secret
apart from them and let them expire.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.capability import capability, reasoning_elicitation
from streams.features import DIMENSIONS, SCALE, FeatureMap
from streams.language import guess
from streams.shingles import MINHASH_VALUES, SHINGLE_WORDS, Shingles
from streams.words import LIMIT_CHARS, excerpt, fold, is_unspaced, split

EDGE_WORDS = 6
"""Words of a template's head and of its tail; twice as many where a word is one character.

Measured on real conversations: two different prompts of one person share a head of 4, 5, 6 or 8 words alike
(5 to 6 % of pairs: people do fill templates), while heads of different people still coincide at 5 words
twice as often as at 6, and at 8 words a fifth fewer prompts are long enough to have a head."""
SYSTEM_PROMPTS = 1024
"""Digests remembered at most, by texts of at most `LIMIT_CHARS` (8 MB, 34 where characters take four bytes):
applications send theirs with every request."""
LOT_PROMPTS = 64
"""Fingerprinted together at most: their arrays stay in the cache of a processor."""
ALGORITHM = f"sw1.e{EDGE_WORDS}.mh{MINHASH_VALUES}x{SHINGLE_WORDS}.f{DIMENSIONS}"
"""Changes with everything that makes old and new fingerprints differ."""

_GENERATION = re.compile(r"[A-Za-z0-9._-]{1,32}")


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The content fields of `schemas.event.RequestEvent`, by the same names."""

    fingerprint_id: str
    prompt_hash: str
    template_hash: str | None
    template_tail_hash: str | None
    system_hash: str | None
    prompt_simhash: str | None
    prompt_minhash: bytes | None
    prompt_embedding: bytes
    prompt_topic: str
    prompt_language: str | None
    prompt_chars: int
    reasoning_elicitation: float


class _Read(NamedTuple):
    """A prompt, read."""

    prompt: str
    system_prompt: str | None
    text: str
    """What is looked at of it."""
    folded: str
    words: list[str]

    @classmethod
    def of(cls, prompt: str, system_prompt: str | None) -> _Read:
        text = excerpt(prompt)
        folded = fold(text)
        return cls(prompt, system_prompt, text, folded, split(folded))


class Fingerprinter:
    """Turns prompts into fingerprints under one secret. Deterministic; not thread-safe (caches).

    Args:
        secret: key of every digest and sketch; the same in every gateway of a deployment.
        generation: name of this secret. Fingerprints of different generations are never compared.

    Raises:
        ValueError: empty secret, or a generation that is no plain name.
    """

    def __init__(self, secret: bytes, generation: str) -> None:
        if not secret:
            raise ValueError("the fingerprint secret is empty")
        if not _GENERATION.fullmatch(generation):
            raise ValueError("the generation must be 1 to 32 of A-Z a-z 0-9 . _ -")
        self._features = FeatureMap(_derive(secret, b"word"))
        self._prompt_key = _derive(secret, b"prompt")
        self._head_key = _derive(secret, b"head")
        self._tail_key = _derive(secret, b"tail")
        self._system_key = _derive(secret, b"system")
        self._systems: dict[str, str] = {}
        # The check digits make two secrets under one generation name visible, instead of silently unequal.
        self.fingerprint_id = f"{ALGORITHM}/{generation}-{_derive(secret, b'check').hex()[:8]}"

    def fingerprint(self, prompt: str, system_prompt: str | None = None) -> Fingerprint:
        """Fingerprint of one prompt (last user message) and, where known, its system prompt."""
        return self._fingerprints([_Read.of(prompt, system_prompt)])[0]

    def fingerprint_all(self, said: Sequence[tuple[str, str | None]]) -> list[Fingerprint]:
        """`fingerprint` of each (prompt, system prompt): the same, for short ones in half of the time."""
        made: list[Fingerprint] = []
        lot: list[_Read] = []
        words = 0
        for prompt, system_prompt in said:
            read = _Read.of(prompt, system_prompt)
            if words + len(read.words) > LIMIT_CHARS or len(lot) == LOT_PROMPTS:
                made += self._fingerprints(lot)
                lot, words = [], 0
            lot.append(read)
            words += len(read.words)
        return made + self._fingerprints(lot) if lot else made

    def _fingerprints(self, lot: Sequence[_Read]) -> list[Fingerprint]:
        texts, words = [one.text for one in lot], [one.words for one in lot]
        measured = self._features.measure(texts, words, SHINGLE_WORDS)
        shingles = Shingles(measured.word_hashes, [size for size in measured.sizes if size])
        minhashes, simhashes = iter(shingles.minhashes), iter(shingles.simhashes)
        vectors = measured.vectors.tobytes()
        made = []
        for number, (prompt, system_prompt, text, folded, said) in enumerate(lot):
            count, cues, foreign = len(said), measured.cues[number], measured.foreign_chars[number]
            head = tail = None
            edge = EDGE_WORDS if folded.isascii() or not is_unspaced(said) else 2 * EDGE_WORDS
            if count >= 2 * edge:
                head = _digest(self._head_key, " ".join(said[:edge]))
                tail = _digest(self._tail_key, " ".join(said[-edge:]))
            longer = f"\x1f{len(prompt)}" if len(text) < len(prompt) else ""
            marks, distinct = measured.code_marks[number], measured.distinct[number]
            made.append(
                Fingerprint(
                    fingerprint_id=self.fingerprint_id,
                    prompt_hash=_digest(self._prompt_key, folded + longer),
                    template_hash=head,
                    template_tail_hash=tail,
                    system_hash=None if system_prompt is None else self.system_hash(system_prompt),
                    prompt_simhash=f"simhash64:{next(simhashes)}" if count else None,
                    prompt_minhash=next(minhashes) if count else None,
                    prompt_embedding=vectors[number * DIMENSIONS : (number + 1) * DIMENSIONS],
                    prompt_topic=capability(folded, foreign, cues, count, marks, said.count("0")),
                    prompt_language=guess(folded, foreign, measured.votes[number], distinct),
                    prompt_chars=len(prompt),
                    reasoning_elicitation=reasoning_elicitation(folded, foreign, cues, count),
                )
            )
        return made

    def system_hash(self, system_prompt: str) -> str:
        """Digest of a system prompt alone, for senders that log no user text."""
        text = excerpt(system_prompt)
        known = self._systems.get(text)
        if known is None:
            if len(self._systems) >= SYSTEM_PROMPTS:
                self._systems.clear()
            known = self._systems[text] = _digest(self._system_key, fold(text))
        return known


def embedding(data: bytes) -> NDArray[np.float32]:
    """``prompt_embedding`` bytes to numbers; the four groups have lengths 1, 2, 1, 1."""
    return np.frombuffer(data, np.int8).astype(np.float32) / np.float32(SCALE)


def _derive(secret: bytes, purpose: bytes) -> bytes:
    """Independent 32-byte key per purpose."""
    return blake2b(purpose, key=blake2b(secret, digest_size=64).digest(), digest_size=32).digest()


def _digest(key: bytes, text: str) -> str:
    return "hmac-sha256:" + hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256")[:16].hex()
