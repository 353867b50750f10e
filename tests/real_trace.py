"""Real input: the Azure LLM traces of one hour, with real prompts of real people.

The traces (8,819 coding and 19,366 conversation requests) have times and token counts, but no accounts
and no text. Both are added by a seeded rule, so that every run sees the same file: accounts follow a
Zipf distribution; each account asks from its own stretch of the prompt collections. Identity is
therefore simulated; arrivals, lengths and texts are real.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

DATA = Path(os.environ.get("STILLWATCH_DATA", Path(__file__).parents[2] / "shared" / "data"))
REQUESTS = 28_185

needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"the shared traces are not at {DATA}; set STILLWATCH_DATA"
)


def prompts() -> list[str]:
    """About 1,400 real user prompts: Arena-Hard questions and OpenAssistant conversation turns."""
    folder = DATA / "prompts_benign"
    arena = [json.loads(line)["prompt"] for line in (folder / "arena_hard_v01.jsonl").open()]
    turns = []
    for file in sorted(folder.glob("openassistant_*_message.jsonl")):
        turns += [row["text"] for row in map(json.loads, file.open()) if row["role"] == "prompter"]
    return arena + turns


def trace(name: str) -> Iterator[tuple[datetime, int, int]]:
    """Times, prompt tokens and answer tokens of ``code`` or ``conv``."""
    with gzip.open(DATA / "azure_llm" / f"{name}.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            time = datetime.fromisoformat(row["TIMESTAMP"][:26]).replace(tzinfo=UTC)
            yield time, int(row["ContextTokens"]), int(row["GeneratedTokens"])


def write_native(path: Path, *, accounts: int = 400, seed: int = 1) -> int:
    """Write both traces as native records in time order. Returns how many."""
    rng = random.Random(seed)
    texts = prompts()
    weights = [1 / (rank + 2) for rank in range(accounts)]
    interests = [rng.randrange(len(texts)) for _ in range(accounts)]
    rows = sorted((*row, name) for name in ("code", "conv") for row in trace(name))
    with path.open("w") as file:
        for number, (time, tokens_in, tokens_out, name) in enumerate(rows):
            account = rng.choices(range(accounts), weights)[0]
            # people stay near their subject: neighbours in the collections are alike
            text = texts[(interests[account] + int(rng.expovariate(1 / 40))) % len(texts)]
            record = {
                "schema_version": 1,
                "event_id": f"azure-{name}-{number}",
                "time": time.isoformat(),
                "account_id": f"{name}-user-{account:03d}",
                "request_model": f"azure-{name}",
                "input_tokens": tokens_in,
                "output_tokens": tokens_out,
                "prompt": text,
            }
            file.write(json.dumps(record) + "\n")
    return len(rows)
