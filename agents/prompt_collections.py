"""Public prompt collections on disk, as `streams.evaluation` wants them: fingerprinted, roots kept apart.

The folder (``STILLWATCH_DATA``) holds ``prompts_benign`` and ``prompts_attack``. The collections known by
name are read as what they are; any further ``.jsonl`` or ``.jsonl.gz`` among the attacks is a family of its
own, one object a line with the text under one of `TEXT_FIELDS`.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from schemas.errors import InvalidSetting, MissingDependency
from streams.evaluation import families
from streams.evaluation.windows import Corpus
from streams.fingerprint import Fingerprinter
from streams.simulation.text.grammar import Dice

DEFAULT_FOLDER = Path("../shared/data")
TEXT_FIELDS = ("prompt", "query", "question", "instruction", "text")
MOST_PER_ROOT = 12
FAMILY_PROMPTS = 2000
"""Most prompts of one family."""

_KNOWN_ATTACKS = {"alpaca_seed_tasks.jsonl", "gsm8k_train.jsonl.gz"}
_BENIGN = ("prompts_benign/arena_hard_v01.jsonl", "prompts_benign/openassistant_en100_tree.jsonl")


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Objects of a JSON Lines file, compressed or not. Raises `InvalidSetting` for a line that is none."""
    zipped = path.suffix == ".gz"
    with gzip.open(path, "rt", encoding="utf-8") if zipped else path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except json.JSONDecodeError as error:
                raise InvalidSetting(str(path), f"line {number} is no JSON: {error}", "Mend it") from error
            if isinstance(value, dict):
                yield value


def text_of(value: dict[str, Any]) -> str | None:
    """The prompt in an object, by the first of `TEXT_FIELDS` it has."""
    return next((value[field] for field in TEXT_FIELDS if isinstance(value.get(field), str)), None)


class Collections:
    """The folder of prompt collections.

    Raises:
        MissingDependency: it holds no benign prompts.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not all((folder / name).is_file() for name in _BENIGN):
            raise MissingDependency(
                f"no prompt collections in {folder}",
                "Put them there, or name their folder by --data or STILLWATCH_DATA",
            )

    def benign(self) -> list[tuple[str, str]]:
        """(root, prompt): real users' prompts; every arena-hard prompt is a root of its own."""
        arena, trees = (self.folder / name for name in _BENIGN)
        found = [(f"arena/{number}", text_of(value) or "") for number, value in enumerate(lines(arena))]
        for value in lines(trees):
            root = str(value["message_tree_id"])
            found += [(f"oasst/{root}", text) for text in _prompter_turns(value["prompt"])]
        return found

    def gsm8k_train(self) -> list[str]:
        path = self.folder / "prompts_attack/gsm8k_train.jsonl.gz"
        return [str(value["question"]) for value in lines(path)]

    def benchmark(self) -> list[str]:
        """Test items of the batch-evaluation customer."""
        maths = lines(self.folder / "prompts_benign/gsm8k_test.jsonl")
        code = lines(self.folder / "prompts_benign/humaneval.jsonl.gz")
        return [str(value["question"]) for value in maths] + [str(value["prompt"]) for value in code]

    def teacher_examples(self) -> tuple[str, list[tuple[str, str, str]]]:
        """The teacher template and its seed tasks: (instruction, input, output)."""
        folder = self.folder / "prompts_attack"
        template = (folder / "alpaca_teacher_template.txt").read_text(encoding="utf-8")
        examples = [
            (str(task["instruction"]), str(case["input"]), str(case["output"]))
            for task in lines(folder / "alpaca_seed_tasks.jsonl")
            for case in task["instances"][:1]
        ]
        return template, examples

    def families(self, seed: int) -> dict[str, list[str]]:
        """Every attack family at hand: name to prompts, at most `FAMILY_PROMPTS` each, without repeats."""
        rng = np.random.default_rng([seed, 0xFA])
        folder = self.folder / "prompts_attack"
        found: dict[str, list[str]] = {}
        if (folder / "alpaca_teacher_template.txt").is_file():
            template, examples = self.teacher_examples()
            found["teacher_template"] = [
                families.teacher_query(template, examples, Dice(seed, number))
                for number in range(FAMILY_PROMPTS)
            ]
            found["bare_instructions"] = [
                f"{instruction}\n\n{given}" if given else instruction for instruction, given, _ in examples
            ]
        if (folder / "gsm8k_train.jsonl.gz").is_file():
            tasks = self.gsm8k_train()
            order = rng.permutation(len(tasks))
            parts = [[tasks[place] for place in part] for part in np.array_split(order, 3)]
            found["reasoning_one_wrapper"] = families.wrapped(parts[0])
            found["reasoning_12_wrappers"] = families.paraphrased(parts[1])
            found["bare_maths"] = parts[2]
        for path in sorted(folder.glob("*.jsonl*")):
            if path.name not in _KNOWN_ATTACKS:
                texts = [text for value in lines(path) if (text := text_of(value))]
                found[path.name.partition(".")[0]] = [texts[place] for place in rng.permutation(len(texts))]
        return {
            name: list(dict.fromkeys(texts))[:FAMILY_PROMPTS] for name, texts in found.items() if texts
        }


def _prompter_turns(message: dict[str, Any]) -> Iterator[str]:
    if message["role"] == "prompter":
        yield str(message["text"])
    for reply in message.get("replies", ()):
        yield from _prompter_turns(reply)


def benign_file(path: Path) -> list[tuple[str, str]]:
    """(root, prompt) of a JSON Lines file of benign prompts: a text field, and ``root`` where prompts of one
    conversation belong together. Raises `InvalidSetting`."""
    if not path.is_file():
        raise InvalidSetting("--benign", f"no such file: {path}", "Name a JSON Lines file of prompts")
    found = [
        (f"{path.name}/{value.get('root', number)}", text)
        for number, value in enumerate(lines(path))
        if (text := text_of(value))
    ]
    if not found:
        fix = f"One object a line with one of {', '.join(TEXT_FIELDS)}"
        raise InvalidSetting("--benign", f"{path} holds no prompts", fix)
    return found


def corpus(
    prompts: Sequence[tuple[str, str]],
    fingerprinter: Fingerprinter,
    advance: Callable[[int], None] = lambda steps: None,
) -> Corpus:
    """(root, prompt) pairs as vectors; equal prompts once, and at most `MOST_PER_ROOT` of a root, because a
    window of traffic holds many people, not one long conversation."""
    roots: dict[str, int] = {}
    unique: dict[str, str] = {}
    turns: Counter[str] = Counter()
    for root, text in prompts:
        if text not in unique and turns[root] < MOST_PER_ROOT:
            unique[text] = root
            turns[root] += 1
    vectors = np.empty((len(unique), 256), np.float32)
    for number, text in enumerate(unique):
        vectors[number] = np.frombuffer(fingerprinter.fingerprint(text).prompt_embedding, np.int8)
        advance(1)
    places = np.array([roots.setdefault(root, len(roots)) for root in unique.values()], np.int64)
    return Corpus(vectors, places)
