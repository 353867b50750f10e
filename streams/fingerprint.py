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
  ascending, little-endian. SOURCE: A. Broder, "On the resemblance and containment of documents", 1997;
  bottom-k form: E. Cohen, H. Kaplan, "Summarizing data using bottom-k sketches", 2007.
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
from hashlib import blake2b

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.capability import capability, reasoning_elicitation
from streams.features import DIMENSIONS, SCALE, FeatureMap, bits
from streams.language import guess
from streams.words import excerpt, fold, is_unspaced, split

EDGE_WORDS = 6
"""Words of a template's head and of its tail; twice as many where a word is one character.

Measured on real conversations: two different prompts of one person share a head of 4, 5, 6 or 8 words alike
(5 to 6 % of pairs: people do fill templates), while heads of different people still coincide at 5 words
twice as often as at 6, and at 8 words a fifth fewer prompts are long enough to have a head."""
SHINGLE_WORDS = 3
MINHASH_VALUES = 16
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


class Fingerprinter:
    """Turns prompts into fingerprints under one secret. Deterministic; not thread-safe (word cache).

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
        # The check digits make two secrets under one generation name visible, instead of silently unequal.
        self.fingerprint_id = f"{ALGORITHM}/{generation}-{_derive(secret, b'check').hex()[:8]}"

    def fingerprint(self, prompt: str, system_prompt: str | None = None) -> Fingerprint:
        """Fingerprint of one prompt (last user message) and, where known, its system prompt."""
        text = excerpt(prompt)
        folded = fold(text)
        words = split(folded)
        measured = self._features.measure(text, words)
        count, foreign, cues = len(words), measured.foreign_chars, measured.cues
        shingles = _shingles(measured.word_hashes) if count else None
        head = tail = None
        edge = EDGE_WORDS if folded.isascii() or not is_unspaced(words) else 2 * EDGE_WORDS
        if count >= 2 * edge:
            head = _digest(self._head_key, " ".join(words[:edge]))
            tail = _digest(self._tail_key, " ".join(words[-edge:]))
        longer = f"\x1f{len(prompt)}" if len(text) < len(prompt) else ""
        return Fingerprint(
            fingerprint_id=self.fingerprint_id,
            prompt_hash=_digest(self._prompt_key, folded + longer),
            template_hash=head,
            template_tail_hash=tail,
            system_hash=None if system_prompt is None else self.system_hash(system_prompt),
            prompt_simhash=None if shingles is None else f"simhash64:{_simhash(shingles)}",
            prompt_minhash=None if shingles is None else shingles[:MINHASH_VALUES].tobytes(),
            prompt_embedding=measured.vector.tobytes(),
            prompt_topic=capability(folded, foreign, cues, count, measured.code_marks, words.count("0")),
            prompt_language=guess(folded, foreign, measured.votes, measured.distinct),
            prompt_chars=len(prompt),
            reasoning_elicitation=reasoning_elicitation(folded, foreign, cues, count),
        )

    def system_hash(self, system_prompt: str) -> str:
        """Digest of a system prompt alone, for senders that log no user text."""
        return _digest(self._system_key, fold(excerpt(system_prompt)))


def minhash_similarity(a: bytes, b: bytes) -> float:
    """Estimated Jaccard similarity of two prompts' shingles, 0 to 1.

    >>> minhash_similarity(bytes(8) + b"\\x01" * 8, bytes(8) + b"\\x02" * 8)
    0.5
    """
    left, right = np.frombuffer(a, "<u8"), np.frombuffer(b, "<u8")
    size = max(min(len(left), len(right), MINHASH_VALUES), 1)
    union = np.union1d(left, right)[:size]
    return float(np.isin(union, np.intersect1d(left, right)).sum() / size)


def simhash_distance(a: str, b: str) -> int:
    """Differing bits of two ``simhash64`` digests: 0 equal, about 32 unrelated.

    >>> simhash_distance("simhash64:000000000000000f", "simhash64:0000000000000001")
    3
    """
    return (int(a.partition(":")[2], 16) ^ int(b.partition(":")[2], 16)).bit_count()


def embedding(data: bytes) -> NDArray[np.float32]:
    """``prompt_embedding`` bytes to numbers; the four groups have lengths 1, 2, 1, 1."""
    return np.frombuffer(data, np.int8).astype(np.float32) / np.float32(SCALE)


def _derive(secret: bytes, purpose: bytes) -> bytes:
    """Independent 32-byte key per purpose."""
    return blake2b(purpose, key=blake2b(secret, digest_size=64).digest(), digest_size=32).digest()


def _digest(key: bytes, text: str) -> str:
    return "hmac-sha256:" + hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256")[:16].hex()


_C1, _C2, _C3 = (np.uint64(c) for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_S1, _S2, _S3 = (np.uint64(s) for s in (30, 27, 31))


def _shingles(word_hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Distinct hashes of all runs of `SHINGLE_WORDS` words, ascending; one hash where there are fewer words.

    Mixing steps and constants: SOURCE: G. Steele et al., "Fast splittable pseudorandom number generators"
    (SplitMix64), 2014.
    """
    missing = SHINGLE_WORDS - len(word_hashes)
    if missing > 0:
        word_hashes = np.concatenate([word_hashes, np.zeros(missing, np.uint64)])
    mixed = word_hashes[:-2] * _C1
    mixed ^= mixed >> _S1
    mixed += word_hashes[1:-1]
    mixed *= _C2
    mixed ^= mixed >> _S2
    mixed += word_hashes[2:]
    mixed *= _C3
    mixed ^= mixed >> _S3
    mixed.sort()
    distinct = np.empty(len(mixed), bool)
    distinct[0] = True
    np.not_equal(mixed[1:], mixed[:-1], out=distinct[1:])
    return mixed[distinct]


def _simhash(shingles: NDArray[np.uint64]) -> str:
    """64 bits as hex digits; a bit is set where most shingle hashes have it set."""
    # A matrix product, because a sum over the long axis of a narrow matrix takes NumPy twice as long.
    votes = np.ones(len(shingles), np.float32) @ bits(shingles).astype(np.float32)
    return np.packbits(2 * votes > len(shingles)).tobytes().hex()
