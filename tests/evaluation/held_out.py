"""Files of raw prompts and nothing else, as ``stillwatch replay FILE --format native`` would get them:
``python -m tests.evaluation.held_out CONVERSATIONS [--users 100] [--hours 6] [--pipelines first|later]``

CONVERSATIONS is JSON Lines, a real prompt each, in order: ``{"root": "conversation", "prompt": ...}``. Each
user is one conversation on the side that `fit_structure_prior` leaves alone. Into them are mixed pipelines
(`tests.evaluation.held_out_pipelines`), each one account, and twelve keys with 2 to 1,000 people behind each,
who talk in turns: like lists they do not go on about anything, and must not be found. Records carry the four
required fields and the prompt. Told is after how many of its requests an account was found. Pipelines ask at
random, or, with ``--visits``, as a person would: three requests at a time, in the same half of every day,
which is what hides them longest. With ``--system-prompt`` all pipelines send one, with ``--accounts`` each of
them has several, with ``--cover`` a share of its requests are real people's prompts.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from agents.prompt_collections import DEFAULT_FOLDER, Collections, benign_file
from agents.replay import Outputs, Replay
from agents.settings import Settings
from tests.evaluation.fit_structure_prior import chosen
from tests.evaluation.held_out_pipelines import SETS, Pipeline

START_S = 1_795_000_000
REQUESTS = 300
"""Of each pipeline."""
MOST_TURNS = 100
BEHIND_A_KEY = (2, 4, 8, 32, 200, 1000)
VISIT_REQUESTS, VISIT_GAP_S = 3, 120.0


def key(talks: list[list[str]], people: int) -> Pipeline:
    """Prompts of so many people at once; who has said all is followed by somebody else."""
    left: list[list[str]] = [[] for _ in range(people)]

    def prompt(n: int, dice: random.Random) -> str:
        one = dice.randrange(people)
        left[one] = left[one] or list(dice.choice(talks))
        return left[one].pop(0)

    return prompt


def at_random(hours: float, count: int, dice: random.Random) -> Iterator[float]:
    """Times in s of so many requests of a pipeline: a Poisson process over a third of the file."""
    at_s = START_S + dice.random() * 3600 * 0.7 * hours
    for _ in range(count):
        yield at_s
        at_s += dice.expovariate(1 / (0.3 * 3600 * hours / count))


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
    count: int = REQUESTS,
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
        times = at_random(hours, count, dice) if visits is None else in_visits(hours, visits, dice)
        for number, at_s in enumerate(times):
            found.append((at_s, name, prompt_of(number + 333 * seed, dice)))
    return sorted(found)


def many(pipelines: dict[str, Pipeline], accounts: int) -> dict[str, Pipeline]:
    """Each pipeline spread over so many accounts, which begin at different places of its list."""
    if accounts == 1:
        return pipelines

    def begun(pipeline: Pipeline, place: int) -> Pipeline:
        return lambda n, dice: pipeline(n + 997 * place, dice)

    return {
        f"{name}, {place + 1}": begun(pipeline, place)
        for name, pipeline in pipelines.items()
        for place in range(accounts)
    }


def covered(pipelines: dict[str, Pipeline], talks: list[list[str]], cover: float) -> dict[str, Pipeline]:
    """Each pipeline with real conversations, one after the other, as such a share of its requests."""

    def under_cover(pipeline: Pipeline) -> Pipeline:
        person = key(talks, 1)
        return lambda n, dice: person(n, dice) if dice.random() < cover else pipeline(n, dice)

    return {name: under_cover(pipeline) for name, pipeline in pipelines.items()}


def found_after(
    file: Path, rows: list[tuple[float, str, str]], systems: Mapping[str, str | None]
) -> dict[str, int]:
    """Account to its requests up to its first finding.

    Args:
        systems: system prompt of an account, where it sends one.
    """
    times: dict[str, list[float]] = defaultdict(list)
    with file.open("w", encoding="utf-8") as lines:
        for number, (at_s, account, prompt) in enumerate(rows):
            time = datetime.fromtimestamp(at_s, UTC)
            times[account].append(time.timestamp())
            record = {"schema_version": 1, "event_id": f"h{number}", "time": time.isoformat()}
            record |= {"account_id": account, "prompt": prompt}
            system = systems.get(account)
            lines.write(json.dumps(record if system is None else record | {"system_prompt": system}) + "\n")
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
    parser.add_argument("--pipelines", choices=SETS, default="first")
    parser.add_argument(
        "--requests", type=int, default=REQUESTS, help="of each account of a pipeline, at random"
    )
    parser.add_argument("--accounts", type=int, default=1, help="of each pipeline")
    parser.add_argument(
        "--cover",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="of each pipeline's requests that are real people's prompts",
    )
    parser.add_argument("--system-prompt", help="of all pipelines, before every prompt")
    parser.add_argument("--data", type=Path, default=os.environ.get("STILLWATCH_DATA", DEFAULT_FOLDER))
    args = parser.parse_args()
    talks: dict[str, list[str]] = {}
    for root, prompt in benign_file(args.conversations):
        if not chosen(root):
            talks.setdefault(root, []).append(prompt)
    some = random.Random(args.seed).sample(sorted(talks), min(args.users, len(talks)))
    sources = many(SETS[args.pipelines](Collections(args.data)), args.accounts)
    people = [(number, turn) for number in BEHIND_A_KEY for turn in (1, 2)]
    keys = {f"key of {number:,}, {turn}": key(list(talks.values()), number) for number, turn in people}
    if args.cover:
        sources = covered(sources, list(talks.values()), args.cover)
    mixed_in = sources | keys if args.visits is None else sources
    rows = requests(
        [talks[root] for root in some], mixed_in, args.hours, args.seed, args.visits, args.requests
    )
    with TemporaryDirectory() as folder:
        found = found_after(Path(folder) / "held_out.jsonl", rows, dict.fromkeys(sources, args.system_prompt))
    print(f"{len(rows):,} requests of {len(some):,} users and {len(sources)} pipelines, {args.hours:g} hours")
    for name in sources:
        print(f"  {name:14} {found.pop(name, 'not found')}")
    print(f"  keys and users found: {found or 'none'}")


if __name__ == "__main__":
    main()
