"""Fingerprints of any text at all: folding settles, results are in range, the word cache has no memory."""

from __future__ import annotations

import msgspec
import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.event import RequestEvent
from streams.capability import CLASSES
from streams.features import DIMENSIONS
from streams.fingerprint import Fingerprinter
from streams.shingles import MINHASH_VALUES, minhash_similarity
from streams.words import LIMIT_CHARS, excerpt, fold, split

TEXTS = st.text(max_size=300) | st.text(st.sampled_from("aA 0९é̀ß中カﬁ．'\n\u200bİςΣ"), max_size=80)
FINGERPRINTER = Fingerprinter(b"a secret for tests", "k1")


@given(TEXTS)
@example("ᾈ")
@example("İ̇I")
@example("﷐ﬁﬀ")
@settings(max_examples=300)
def test_folding_is_idempotent(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(TEXTS)
def test_words_are_made_of_nothing_but_words(text: str) -> None:
    words = split(fold(text))
    assert all(words)
    assert split(" ".join(words)) == words
    assert not any(character.isspace() for word in words for character in word)


@given(TEXTS)
@settings(max_examples=200)
def test_every_text_has_a_valid_fingerprint(text: str) -> None:
    made = FINGERPRINTER.fingerprint(text, text)
    event = {"schema_version": 1, "event_id": "e", "time": "2026-11-23T00:00:00Z", "account_id": "a"}
    data = msgspec.json.encode({**event, **msgspec.structs.asdict(made)})
    assert msgspec.json.decode(data, type=RequestEvent).prompt_chars == len(text)
    assert made.prompt_topic in (*CLASSES, "chat", "other")
    vector = np.frombuffer(made.prompt_embedding, np.int8)
    assert len(vector) == DIMENSIONS
    assert np.abs(vector.astype(int)).max() <= 127
    if made.prompt_minhash is not None:
        values = np.frombuffer(made.prompt_minhash, "<u8")
        assert 1 <= len(values) <= MINHASH_VALUES
        assert (np.diff(values.astype(object)) > 0).all()
        assert minhash_similarity(made.prompt_minhash, made.prompt_minhash) == 1


EVERY_MARK = "x\n- \n* \n1\n#\n\n\n:\n\t    ```**\\{{</://|_...y"
SAID = st.sampled_from(
    ["", "?", "one", "one two", "a b " * 4000, "字 " * 5000, "\n" * 9000 + "end", EVERY_MARK]
)


@given(st.lists(TEXTS | SAID, max_size=90))
@settings(max_examples=60, deadline=None)
def test_fingerprinted_together_or_one_by_one_is_the_same(texts: list[str]) -> None:
    together = FINGERPRINTER.fingerprint_all([(text, text[:1] or None) for text in texts])
    assert together == [FINGERPRINTER.fingerprint(text, text[:1] or None) for text in texts]


@given(st.lists(TEXTS, max_size=8), TEXTS)
@settings(max_examples=60)
def test_what_came_before_does_not_matter(before: list[str], text: str) -> None:
    used = Fingerprinter(b"a secret for tests", "k1")
    for other in before:
        used.fingerprint(other)
    assert used.fingerprint(text) == FINGERPRINTER.fingerprint(text)


@given(TEXTS, st.integers(LIMIT_CHARS, 5 * LIMIT_CHARS))
@settings(max_examples=30)
def test_a_bounded_part_is_read(text: str, size: int) -> None:
    long = (text or "a") * (size // max(len(text), 1) + 1)
    assert len(excerpt(long)) <= LIMIT_CHARS + 1
    assert len(split(fold(excerpt(long)))) <= LIMIT_CHARS
