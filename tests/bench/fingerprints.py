"""What a fingerprint costs, in us of processor time a prompt: ``python -m tests.bench.fingerprints [FILE]``

Real prompts by length, one at a time as a gateway makes them and many at once as INGEST does, beside the
least that a keyed fingerprint could cost: one HMAC-SHA-256 of the text. The three take turns, `ROUNDS` times;
the median counts, and the fastest stands beside it. Words have been seen before, as they have after a minute
of traffic.

FILE: JSON Lines with a text a line under ``prompt`` or another of `agents.prompt_collections.TEXT_FIELDS`;
else the benign collections under ``STILLWATCH_DATA``.
"""

from __future__ import annotations

import argparse
import hmac
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

import agents  # noqa: F401 - keeps linear algebra to one thread, as in a worker, if it comes before NumPy
from agents.prompt_collections import DEFAULT_FOLDER, Collections, lines, text_of
from schemas.errors import StillwatchError
from streams.fingerprint import Fingerprinter

ROUNDS = 9
MOST_PROMPTS = 2000
LENGTHS = {"up to 300": range(1, 301), "to 1,500": range(301, 1501), "beyond": range(1501, sys.maxsize)}
DIGEST, ALONE, TOGETHER = "HMAC", "alone", "together"


def read(file: Path | None) -> list[str]:
    """Distinct prompts, in order."""
    if file is not None:
        found = [text_of(value) or "" for value in lines(file)]
    else:
        folder = Path(os.environ.get("STILLWATCH_DATA", DEFAULT_FOLDER))
        found = [prompt for _, prompt in Collections(folder).benign()]
    return list(dict.fromkeys(found))


def measure(prompts: list[str]) -> dict[str, list[float]]:
    """Way of making them to µs a prompt in each round."""
    maker = Fingerprinter(b"bench", "k1")
    said = [(prompt, None) for prompt in prompts]

    def digests() -> None:
        for prompt in prompts:
            hmac.digest(b"bench", prompt.encode("utf-8", "surrogatepass"), "sha256").hex()

    def alone() -> None:
        for prompt in prompts:
            maker.fingerprint(prompt)

    ways: dict[str, Callable[[], object]] = {
        DIGEST: digests, ALONE: alone, TOGETHER: lambda: maker.fingerprint_all(said),
    }  # fmt: skip
    maker.fingerprint_all(said)
    spent: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, make in ways.items():
            start = time.process_time()
            make()
            spent[way].append((time.process_time() - start) * 1e6 / len(prompts))
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="?", type=Path)
    try:
        prompts = read(parser.parse_args().file)
    except StillwatchError as error:
        raise SystemExit(str(error)) from error
    table = Table(title="Fingerprint of a prompt by its length in characters, us: median of rounds (fastest)")
    for name in ("length", "median", "prompts", DIGEST, ALONE, TOGETHER, "ratio"):
        table.add_column(name, justify="right")
    for name, lengths in LENGTHS.items():
        mine = [prompt for prompt in prompts if len(prompt) in lengths][:MOST_PROMPTS]
        if not mine:
            continue
        spent = measure(mine)
        shown = [f"{median(each):.1f} ({min(each):.1f})" for each in spent.values()]
        ratio = median(spent[ALONE]) / median(spent[DIGEST])
        table.add_row(name, f"{median(map(len, mine)):,.0f}", f"{len(mine):,}", *shown, f"{ratio:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
