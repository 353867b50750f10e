"""Files of raw prompts and nothing else, as ``stillwatch replay FILE --format native`` would get them:
``python -m tests.evaluation.held_out CONVERSATIONS [--users 100] [--hours 6] [--visits REQUESTS_A_DAY]``

CONVERSATIONS is JSON Lines, a real prompt each, in order: ``{"root": "conversation", "prompt": ...}``. Each
user is one conversation on the side that `fit_structure_prior` leaves alone. Into them are mixed fifteen
pipelines, each one account; no parameter was fitted to them, though how soon to speak was weighed with them
in sight. And twelve keys with 2 to 1,000 people behind each, who talk in turns: like lists they do not go
on about anything, and must not be found. Records carry the four required fields and the prompt. Told is after
how many of its requests an account was found. Pipelines ask at random, or, with ``--visits``, as a person
would: three requests at a time, in the same half of every day, which is what hides them longest.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from agents.prompt_collections import DEFAULT_FOLDER, Collections, benign_file
from agents.replay import Outputs, Replay
from agents.settings import Settings
from streams.simulation.text import attacks, languages
from streams.simulation.text.grammar import Dice
from tests.evaluation.fit_structure_prior import chosen

START_S = 1_795_000_000
REQUESTS = 300
"""Of each pipeline."""
MOST_TURNS = 100
BEHIND_A_KEY = (2, 4, 8, 32, 200, 1000)
VISIT_REQUESTS, VISIT_GAP_S = 3, 120.0

Pipeline = Callable[[int, random.Random], str]

REWRITE = (
    "Your part is to make tasks harder. Take the task below and write a version of it that needs one more "
    "step of thought, in about as many words, and that a person could still solve.\n### Task\n{}\n### Harder"
)
MOULDS = (
    "Q: {}\nA:", "Please help: {}", "{}\nExplain.", "Solve this -> {}", "Answer the question below.\n{}",
    "{} Show your work!",
)  # fmt: skip
STYLES = ("brief", "long", "child")
LANGUAGES = ("German", "French", "Polish", "Thai")
KINDS = ("young", "retired", "curious", "sceptical", "busy", "talented")
TRADES = ("nurse", "carpenter", "teacher", "farmer", "pilot", "chemist", "lawyer", "chef")
HABITS = ("loves puzzles", "collects stamps", "runs a shop", "lives by the sea", "studies at night")


def pipelines(collections: Collections) -> dict[str, Pipeline]:
    """Name to the prompt of a number."""
    tasks, code = collections.gsm8k_train(), collections.benchmark()[-164:]
    orders = [example[0] for example in collections.teacher_examples()[1]]
    both = tasks + orders
    full = [f"{order}\n{given}" for order, given, _ in collections.teacher_examples()[1]]
    mixed = random.Random(1).sample(full + tasks[:100] + code[:100], 300)
    spoken = sorted(languages.LANGUAGES)

    def persona(dice: random.Random) -> str:
        return f"a {dice.choice(KINDS)} {dice.choice(TRADES)} who {dice.choice(HABITS)}"

    return {
        "rewriter": lambda n, dice: REWRITE.format(dice.choice(both)),
        "personas": lambda n, dice: f"Create a math problem with the following persona: {persona(dice)}",
        "judge": lambda n, dice: (
            f"[Question]\n{dice.choice(tasks)}\n\n[Answer]\n{dice.randrange(900)}\n\n"
            "Rate the helpfulness, relevance and accuracy of the answer on a scale of 1 to 10 and explain."
        ),
        "json": lambda n, dice: json.dumps(
            {"task": "answer", "style": dice.choice(STYLES), "question": dice.choice(tasks)}
        ),
        "translation": lambda n, dice: f"Translate to {dice.choice(LANGUAGES)}: {dice.choice(both)}",
        "boxed suffix": lambda n, dice: (
            f"{dice.choice(both)}\n\nThink step by step and put the final answer in \\boxed{{}}."
        ),
        "six moulds": lambda n, dice: dice.choice(MOULDS).format(dice.choice(tasks)),
        "bare code": lambda n, dice: code[n % len(code)],
        "bare maths": lambda n, dice: tasks[37 * n % len(tasks)],
        "bare orders": lambda n, dice: orders[n % len(orders)],
        "orders, inputs": lambda n, dice: full[n % len(full)],
        "mixed lists": lambda n, dice: mixed[n % len(mixed)],
        "tasks": lambda n, dice: attacks.tasks(0, Dice(n)),
        "agent's steps": lambda n, dice: attacks.agentic(0, Dice(n)),
        "six languages": lambda n, dice: languages.chat(dice.choice(spoken)).write("first", Dice(n)),
    }


def key(talks: list[list[str]], people: int) -> Pipeline:
    """Prompts of so many people at once; who has said all is followed by somebody else."""
    left: list[list[str]] = [[] for _ in range(people)]

    def prompt(n: int, dice: random.Random) -> str:
        one = dice.randrange(people)
        left[one] = left[one] or list(dice.choice(talks))
        return left[one].pop(0)

    return prompt


def at_random(hours: float, dice: random.Random) -> Iterator[float]:
    """Times in s of a pipeline's requests: a Poisson process over a third of the file."""
    at_s = START_S + dice.random() * 3600 * 0.7 * hours
    for _ in range(REQUESTS):
        yield at_s
        at_s += dice.expovariate(1 / (0.3 * 3600 * hours / REQUESTS))


def in_visits(hours: float, a_day: int, dice: random.Random) -> Iterator[float]:
    """Times in s of a pipeline's requests, so many a day, that rests for half of it and comes in visits."""
    times: list[float] = []
    for day in range(max(round(hours / 24), 1)):
        for _ in range(round(a_day / VISIT_REQUESTS)):
            at_s = START_S + 86_400 * day + 3600 * dice.uniform(0, 12)
            for _ in range(VISIT_REQUESTS):
                times.append(at_s)
                at_s += VISIT_GAP_S * dice.lognormvariate(0, 0.5)
    return iter(sorted(times))


def requests(
    conversations: list[list[str]],
    pipelines: dict[str, Pipeline],
    hours: float,
    seed: int,
    visits: int | None = None,
) -> list[tuple[float, str, str]]:
    """(time in s, account, prompt) in order of time."""
    dice = random.Random(seed)
    found: list[tuple[float, str, str]] = []
    # short files are busy ones: everybody must fit into them
    pace = min(hours / 6, 1.0)
    for number, turns in enumerate(conversations):
        at_s = START_S + dice.random() * 3600 * hours
        for prompt in turns[:MOST_TURNS]:
            found.append((at_s, f"user-{number}", prompt))
            at_s += pace * dice.lognormvariate(4.5, 0.9)
    for name, prompt_of in pipelines.items():
        times = at_random(hours, dice) if visits is None else in_visits(hours, visits, dice)
        for number, at_s in enumerate(times):
            found.append((at_s, name, prompt_of(number + 333 * seed, dice)))
    return sorted(found)


def found_after(file: Path, rows: list[tuple[float, str, str]]) -> dict[str, int]:
    """Account to its requests up to its first finding."""
    times: dict[str, list[float]] = defaultdict(list)
    with file.open("w", encoding="utf-8") as lines:
        for number, (at_s, account, prompt) in enumerate(rows):
            time = datetime.fromtimestamp(at_s, UTC)
            times[account].append(time.timestamp())
            record = {"schema_version": 1, "event_id": f"h{number}", "time": time.isoformat()}
            lines.write(json.dumps({**record, "account_id": account, "prompt": prompt}) + "\n")
    raised = Replay(Settings(), "native", Outputs()).run([file]).raised.values()
    first: dict[str, float] = {}
    for finding in raised:
        if finding.subject_kind == "account":
            told_s = finding.time.timestamp()
            first[finding.subject_id] = min(told_s, first.get(finding.subject_id, told_s))
    return {name: sum(at_s <= told_s + 1e-3 for at_s in times[name]) for name, told_s in first.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.evaluation.held_out")
    parser.add_argument("conversations", type=Path)
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--hours", type=float, default=6.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--visits", type=int, metavar="REQUESTS_A_DAY")
    parser.add_argument("--data", type=Path, default=os.environ.get("STILLWATCH_DATA", DEFAULT_FOLDER))
    args = parser.parse_args()
    talks: dict[str, list[str]] = {}
    for root, prompt in benign_file(args.conversations):
        if not chosen(root):
            talks.setdefault(root, []).append(prompt)
    some = random.Random(args.seed).sample(sorted(talks), min(args.users, len(talks)))
    sources = pipelines(Collections(args.data))
    people = [(number, turn) for number in BEHIND_A_KEY for turn in (1, 2)]
    keys = {f"key of {number:,}, {turn}": key(list(talks.values()), number) for number, turn in people}
    mixed_in = sources | keys if args.visits is None else sources
    rows = requests([talks[root] for root in some], mixed_in, args.hours, args.seed, args.visits)
    with TemporaryDirectory() as folder:
        found = found_after(Path(folder) / "held_out.jsonl", rows)
    print(f"{len(rows):,} requests of {len(some):,} users and {len(sources)} pipelines, {args.hours:g} hours")
    for name in sources:
        print(f"  {name:14} {found.pop(name, 'not found')}")
    print(f"  keys and users found: {found or 'none'}")


if __name__ == "__main__":
    main()
