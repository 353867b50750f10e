"""Fingerprints on real prompts: equal where they must be, near where texts are near, bounded always."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import pickle
import subprocess
import sys
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from schemas.event import RequestEvent, decode_event, encode_event
from streams.features import DIMENSIONS, WORD_CACHE
from streams.fingerprint import ALGORITHM, SYSTEM_PROMPTS, Fingerprint, Fingerprinter, embedding
from streams.shingles import minhash_similarity, simhash_distance
from streams.structure import GROUP
from streams.words import HEAD_CHARS, LIMIT_CHARS, TAIL_CHARS

DATA = Path(os.environ.get("STILLWATCH_DATA", "../shared/data"))
needs_prompts = pytest.mark.skipif(
    not (DATA / "prompts_benign").is_dir(), reason="no real prompts under STILLWATCH_DATA"
)

LONG = (
    "Please review the following quarterly report and list its three weakest arguments. Company: Acme 12. "
    "Sales rose by 4.5 % while margins fell; the board blames freight, the auditors blame inventory. "
    "Keep every point below forty words and do not repeat figures that the report already gives."
)


PINNED = ("sw1.e6.mh16x3.f256", "fb7837bb6e6223a929c79cbb0aafc29c")


@pytest.fixture(scope="module")
def fingerprinter() -> Fingerprinter:
    return Fingerprinter(b"a secret for tests", "k1")


def real_prompts() -> list[str]:
    lines = (DATA / "prompts_benign" / "arena_hard_v01.jsonl").read_text().splitlines()
    return [json.loads(line)["prompt"] for line in lines]


def test_fields_are_those_of_the_event(fingerprinter: Fingerprinter) -> None:
    fields = msgspec.structs.asdict(fingerprinter.fingerprint(LONG, "Be brief."))
    assert set(fields) < set(RequestEvent.__struct_fields__)
    required: dict[str, Any] = {"schema_version": 1, "event_id": "e", "account_id": "a"}
    event = RequestEvent(**required, time=datetime(2026, 11, 23, tzinfo=UTC), **fields)
    assert decode_event(encode_event(event)) == event
    assert len(event.prompt_embedding or b"") == DIMENSIONS


def test_same_text_same_fingerprint_in_another_process_with_another_hash_seed() -> None:
    script = (
        "import sys, msgspec; from streams.fingerprint import Fingerprinter;"
        "f = Fingerprinter(b'a secret for tests', 'k1');"
        "[sys.stdout.buffer.write(msgspec.json.encode(f.fingerprint(p)) + b'\\n')"
        " for p in msgspec.json.decode(sys.stdin.buffer.read())]"
    )
    texts = [LONG, "写一首关于秋天的诗", "", "x" * 20_000, "Привет, как дела? 12"]
    outputs = [
        subprocess.run(
            [sys.executable, "-c", script], input=msgspec.json.encode(texts), capture_output=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    here = Fingerprinter(b"a secret for tests", "k1")
    # Words in another order of first sight, and a cache that has seen others: no difference.
    for text in reversed([*texts, "some other words first"]):
        here.fingerprint(text)
    expected = b"".join(msgspec.json.encode(here.fingerprint(text)) + b"\n" for text in texts)
    assert outputs == [expected, expected]


def test_the_same_algorithm_gives_the_same_bytes(fingerprinter: Fingerprinter) -> None:
    """Fingerprints are compared over months: whoever changes these bytes must change `ALGORITHM` too."""
    code = "def f(x):\n    return x ** 2\n" * 40
    texts = [LONG, "写一首关于秋天的诗", "", "two words", "Привет, как дела? 12", code]
    made = b"".join(msgspec.json.encode(fingerprinter.fingerprint(text, text[:9])) for text in texts)
    assert (ALGORITHM, hashlib.sha256(made).hexdigest()[:32]) == PINNED


def test_case_space_width_and_invisible_characters_do_not_matter(fingerprinter: Fingerprinter) -> None:
    plain = fingerprinter.fingerprint(LONG)
    disguised = LONG.upper().replace(" ", " \u200b \n").replace("R", "\uff32")
    other = fingerprinter.fingerprint(disguised)
    for name in ("prompt_hash", "template_hash", "template_tail_hash", "prompt_minhash", "prompt_simhash"):
        assert getattr(other, name) == getattr(plain, name)


def test_digits_matter_to_the_prompt_but_not_to_its_template(fingerprinter: Fingerprinter) -> None:
    one, other = fingerprinter.fingerprint(LONG), fingerprinter.fingerprint(LONG.replace("12", "98,765"))
    assert one.prompt_hash != other.prompt_hash
    assert (one.template_hash, one.prompt_minhash) == (other.template_hash, other.prompt_minhash)


def test_another_key_changes_every_keyed_field(fingerprinter: Fingerprinter) -> None:
    one, other = fingerprinter.fingerprint(LONG, "s"), Fingerprinter(b"another", "k1").fingerprint(LONG, "s")
    keyed = ["prompt_hash", "template_hash", "template_tail_hash", "system_hash", "prompt_simhash"]
    for name in (*keyed, "prompt_minhash", "fingerprint_id"):
        assert getattr(one, name) != getattr(other, name)
    assert minhash_similarity(one.prompt_minhash or b"", other.prompt_minhash or b"") == 0
    groups = np.stack([embedding(f.prompt_embedding).reshape(4, GROUP) for f in (one, other)])
    likeness = (groups[0] * groups[1]).sum(axis=1) / np.linalg.norm(groups, axis=2).prod(axis=0)
    assert likeness[1] == pytest.approx(1)  # structure is not keyed, and says so
    assert np.abs(likeness[[0, 2, 3]]).max() < 0.5


def test_id_names_algorithm_generation_and_key() -> None:
    ids = {Fingerprinter(key, name).fingerprint_id for key in (b"a", b"b") for name in ("k1", "k2")}
    assert len(ids) == 4
    assert all("/k1-" in i or "/k2-" in i for i in ids)


@pytest.mark.parametrize(("secret", "generation"), [(b"", "k1"), (b"s", ""), (b"s", "a/b"), (b"s", "x" * 33)])
def test_unusable_keys_are_refused(secret: bytes, generation: str) -> None:
    with pytest.raises(ValueError, match=r"secret|generation"):
        Fingerprinter(secret, generation)


def test_template_with_slots_is_recognised(fingerprinter: Fingerprinter) -> None:
    slots = ("a baker in Lyon who lost his oven", "two trains that leave at noon", "a lighthouse, 3 ships")
    made = [
        fingerprinter.fingerprint(
            f"You are given a short situation. Think about {slot}. Then answer in one JSON object with the "
            "keys answer and confidence and nothing else."
        )
        for slot in slots
    ]
    assert len({f.template_hash for f in made}) == len({f.template_tail_hash for f in made}) == 1
    assert len({f.prompt_hash for f in made}) == 3
    for one, other in combinations(made, 2):
        assert minhash_similarity(one.prompt_minhash or b"", other.prompt_minhash or b"") > 0.3


def test_short_prompts_have_no_template(fingerprinter: Fingerprinter) -> None:
    for text in ("", "hi", "What is the capital of France?", "a b c d e f g h i j k"):
        short = fingerprinter.fingerprint(text)
        assert (short.template_hash, short.template_tail_hash) == (None, None)
    assert fingerprinter.fingerprint("请帮我写一首诗").template_hash is None


@needs_prompts
def test_near_duplicates_are_near_and_strangers_far(fingerprinter: Fingerprinter) -> None:
    prompts = [p for p in real_prompts() if len(p) > 200][:150]
    originals = [fingerprinter.fingerprint(p) for p in prompts]
    edited = []
    for prompt in prompts:
        words = prompt.split(" ")
        words[len(words) // 2] = "elephant"
        edited.append(fingerprinter.fingerprint(" ".join(words)))
    near = [_compare(a, b) for a, b in zip(originals, edited, strict=True)]
    far = [_compare(a, b) for a, b in combinations(originals, 2)]
    minhash, simhash, vector = (np.array(column) for column in zip(*near, strict=True))
    assert np.median(minhash) > 0.8
    assert np.quantile(simhash, 0.9) <= 16
    assert np.quantile(vector, 0.05) > 0.9
    minhash, simhash, vector = (np.array(column) for column in zip(*far, strict=True))
    assert np.quantile(minhash, 0.999) < 0.2
    assert np.quantile(simhash, 0.001) >= 16
    assert np.mean(vector > 0.9) < 0.002


def _compare(a: Fingerprint, b: Fingerprint) -> tuple[float, int, float]:
    left, right = embedding(a.prompt_embedding), embedding(b.prompt_embedding)
    cosine = float(left @ right / np.linalg.norm(left) / np.linalg.norm(right))
    return (
        minhash_similarity(a.prompt_minhash or b"", b.prompt_minhash or b""),
        simhash_distance(a.prompt_simhash or "x:0", b.prompt_simhash or "x:0"),
        cosine,
    )


@needs_prompts
def test_groups_have_their_documented_lengths(fingerprinter: Fingerprinter) -> None:
    for prompt in real_prompts()[:100]:
        groups = embedding(fingerprinter.fingerprint(prompt).prompt_embedding).reshape(4, GROUP)
        lengths = np.linalg.norm(groups, axis=1)
        present = lengths > 0
        assert lengths[present] == pytest.approx(np.array([1.0, 2.0, 1.0, 1.0])[present], abs=0.06)
        assert present[1]


def test_ten_megabytes_are_read_at_both_ends_only(fingerprinter: Fingerprinter) -> None:
    text = "spam eggs " * 1_000_000
    one = fingerprinter.fingerprint(text)
    middle = fingerprinter.fingerprint(text[:5_000_000] + "ham " + text[5_000_004:])
    assert one.prompt_chars == 10_000_000
    assert msgspec.structs.replace(middle) == one
    assert fingerprinter.fingerprint(text[:-10]).prompt_hash != one.prompt_hash
    assert HEAD_CHARS + TAIL_CHARS == LIMIT_CHARS < len(text)


def test_digests_of_system_prompts_are_kept_of_a_bounded_number() -> None:
    fingerprinter = Fingerprinter(b"s", "k1")
    first = fingerprinter.system_hash("Be brief, 0.")
    others = {fingerprinter.system_hash(f"Be brief, {number}.") for number in range(SYSTEM_PROMPTS + 100)}
    assert len(fingerprinter._systems) <= SYSTEM_PROMPTS
    assert len(others) == SYSTEM_PROMPTS + 100
    assert fingerprinter.system_hash("Be brief, 0.") == first
    assert fingerprinter.system_hash("  BE brief,\n0.") == first  # folded, as ever


def test_word_cache_is_bounded_and_its_renewal_changes_nothing() -> None:
    fingerprinter = Fingerprinter(b"s", "k1")
    before = fingerprinter.fingerprint(LONG)
    for block in range(WORD_CACHE // 1000 + 2):
        fingerprinter.fingerprint(" ".join(f"w{_letters(block * 1000 + n)}" for n in range(1000)))
        assert len(fingerprinter._features._index) <= WORD_CACHE
    assert fingerprinter.fingerprint(LONG) == before


def _letters(number: int) -> str:
    return "".join(chr(97 + (number // 26**place) % 26) for place in range(4))


@pytest.mark.parametrize("text", ["\ud800", "a\x00b", "\u202e\u200d", "ﷺ" * 9000, "🙂🙃", "\n\n\n", "́" * 50])
def test_odd_text_is_taken(fingerprinter: Fingerprinter, text: str) -> None:
    made = fingerprinter.fingerprint(text)
    assert len(made.prompt_embedding) == DIMENSIONS
    assert msgspec.json.decode(msgspec.json.encode(made), type=Fingerprint) == made


@needs_prompts
def test_code_is_coding_and_school_maths_is_reasoning(fingerprinter: Fingerprinter) -> None:
    folder = DATA / "prompts_benign"
    lines = gzip.decompress((folder / "humaneval.jsonl.gz").read_bytes()).splitlines()
    code = [json.loads(line)["prompt"] for line in lines]
    lines = (folder / "gsm8k_test.jsonl").read_bytes().splitlines()
    maths = [json.loads(line)["question"] for line in lines]
    assert _share(fingerprinter, code, "coding") > 0.8
    assert _share(fingerprinter, maths, "reasoning") > 0.8


def _share(fingerprinter: Fingerprinter, prompts: list[str], topic: str) -> float:
    return sum(fingerprinter.fingerprint(p).prompt_topic == topic for p in prompts) / len(prompts)


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("Translate the following sentence into French: the cat sleeps.", "translation"),
        ("Переведите этот текст на английский язык.", "translation"),
        ("请把下面的句子翻译成英文。", "translation"),
        ("Rate the helpfulness of response A and response B on a scale of 1 to 5 by this rubric.", "grading"),
        ("You have access to the following tools. Observation: file saved. Action: invoke a tool", "agentic"),
        ("How was your weekend? I went hiking with my sister.", "chat"),
        ("", "other"),
        ("?!", "other"),
    ],
)
def test_capability_classes(fingerprinter: Fingerprinter, text: str, topic: str) -> None:
    assert fingerprinter.fingerprint(text).prompt_topic == topic


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is the best way to learn how to swim?", "en"),
        ("¿Cuál es la mejor manera de aprender a nadar?", "es"),
        ("Quelle est la meilleure façon d'apprendre à nager dans la mer ?", "fr"),
        ("Wie kann ich am besten schwimmen lernen und was brauche ich dafür?", "de"),
        ("Как лучше всего научиться плавать и что для этого нужно?", "ru"),
        ("学习游泳的最好方法是什么？", "zh"),
        ("泳ぎを学ぶ一番いい方法は何ですか？", "ja"),
        ("수영을 배우는 가장 좋은 방법은 무엇입니까?", "ko"),
        ("ما هي أفضل طريقة لتعلم السباحة؟", "ar"),
        ("तैरना सीखने का सबसे अच्छा तरीका क्या है?", "hi"),
        ("12 + 30 =", None),
    ],
)
def test_languages(fingerprinter: Fingerprinter, text: str, language: str | None) -> None:
    assert fingerprinter.fingerprint(text).prompt_language == language


@pytest.mark.parametrize(
    "text",
    [
        "Solve this. Think step by step and explain your reasoning before giving the answer.",
        "Resuelve esto paso a paso y muestra tu razonamiento.",
        "Résous ceci étape par étape et explique ton raisonnement.",
        "Löse das Schritt für Schritt und zeige deinen Denkprozess.",
        "Решите шаг за шагом и покажите ход рассуждений.",
        "请一步一步地思考，并写出完整的推理过程。",
        "ステップバイステップで考え、思考過程を書いてください。",
        "단계별로 생각하고 추론 과정을 보여 주세요.",
    ],
)
def test_pressing_for_reasoning_is_heard_in_many_languages(fingerprinter: Fingerprinter, text: str) -> None:
    assert fingerprinter.fingerprint(text).reasoning_elicitation >= 0.7


@needs_prompts
def test_real_users_rarely_press_for_reasoning(fingerprinter: Fingerprinter) -> None:
    scores = [fingerprinter.fingerprint(prompt).reasoning_elicitation for prompt in real_prompts()]
    assert np.mean(np.array(scores) >= 0.7) < 0.01
    assert min(scores) >= 0
    assert max(scores) <= 1


def test_a_pickled_fingerprinter_is_small_and_prints_the_same():
    printer = Fingerprinter(b"a secret of this test", "k1")
    before = printer.fingerprint("Sort these nine numbers and explain every step you take, please.")
    sent = pickle.dumps(printer)
    assert len(sent) < 2_000
    assert (
        pickle.loads(sent).fingerprint("Sort these nine numbers and explain every step you take, please.")
        == before
    )
