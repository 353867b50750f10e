"""Attack prompts of the families that can be built from public task lists.

Each family is a mechanism: a fixed teacher template with examples, a task list in one wrapper, the same in
many wrappers, the bare task list. The reasoning wrappers are worded here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from streams.simulation.text.grammar import Dice

WRAPPER = (
    "Work through this problem in full. Write down every intermediate step and the reason for it, then give "
    "the final answer on a line of its own.\n\nProblem: {}"
)
WRAPPERS = (
    "Explain your reasoning step by step and then answer.\n\n{}",
    "{}\n\nThink carefully and show every step before the answer.",
    "Question: {}\nLay out the whole chain of thought.",
    "I need the full derivation, not only the result. {}",
    "{} Please walk me through how you get there.",
    "Solve it and narrate each decision:\n{}",
    "{}\n---\nPut your reasoning inside <think> tags, then the answer.",
    "As a careful tutor, work this out line by line: {}",
    "Task: {}\nGive rationale, intermediate results, answer.",
    "Before you answer, write down what you know and what follows from it.\n{}",
    "{}\n\nDo not skip any calculation.",
    "Derive the answer to the following, justifying each step. {}",
)
"""Demands for the chain of thought, one fixed and twelve."""


def teacher_query(template: str, examples: Sequence[tuple[str, str, str]], dice: Dice) -> str:
    """A self-instruction query: the template, three numbered examples, and the number to go on with.

    Args:
        examples: (instruction, input, output).
    """
    parts = [template.rstrip("\n") + "\n"]
    chosen = dice.sample(examples, 3)
    for number, (instruction, given, output) in enumerate(chosen, 1):
        asked = re.sub(r"\s+", " ", instruction).strip().rstrip(":")
        parts.append(
            f"###\n{number}. Instruction: {asked}\n{number}. Input:\n{given or '<noinput>'}\n"
            f"{number}. Output:\n{output}\n"
        )
    parts.append(f"###\n{len(chosen) + 1}. Instruction:")
    return "".join(parts)


def wrapped(tasks: Sequence[str]) -> list[str]:
    """Every task in the one wrapper."""
    return [WRAPPER.format(task) for task in tasks]


def paraphrased(tasks: Sequence[str]) -> list[str]:
    """Tasks in twelve wrappers by turns."""
    return [WRAPPERS[number % len(WRAPPERS)].format(task) for number, task in enumerate(tasks)]


def written(write: Callable[[int, Dice], str], count: int, campaign: int) -> list[str]:
    """Prompts of one of the simulated campaigns of `streams.simulation.text.attacks`."""
    return [write(campaign, Dice(campaign, number)) for number in range(count)]
