# ruff: noqa: E501 - a line holds one sentence of a grammar
"""Prompts of distillation pipelines, worded here. Each kind imitates a mechanism, not any real prompt.

* ``pipeline``: one long instruction with example slots, filled anew for each query (self-instruction).
* ``reasoning``: a task in a wrapper that asks for the whole chain of thought.
* ``grading``: question, two answers and a rubric, to collect preference labels.
* ``tasks``: diverse single-turn tasks without any wrapper.
* ``agentic``: orders for a coding agent and results of its tools, over all kinds of code bases.

The wording of a campaign's template is drawn from the campaign's seed, so no detector can know it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from streams.simulation.text.applications import problem
from streams.simulation.text.code import PROJECTS, coding
from streams.simulation.text.domains import DOMAINS
from streams.simulation.text.english import chat
from streams.simulation.text.grammar import Dice, Grammar, Rules, capitalised, lines

_TEMPLATES: Rules = {
    "pipeline": lines("""
        <make> <many> <new> for <learner>. <about>\\n<demands>\\nHere are some that exist:\\n1. {}\\n2. {}\\n3. {}\\n<go>
        Below you see three <new>.\\n- {}\\n- {}\\n- {}\\n<make> <many> more that differ from them and from each other.\\n<demands>\\n<go>
        # Data generation\\nSeeds:\\n* {}\\n* {}\\n* {}\\n<about> <make> <many> <new>.\\n<demands>
    """),
    "make": ["Produce", "Write", "Invent", "Come up with", "Generate"],
    "many": ["ten", "12", "fifteen", "20", "25"],
    "new": ["tasks with answers", "instructions and ideal replies", "exercise and solution pairs"],
    "learner": ["a small model", "a student network", "an assistant in training"],
    "about": lines("""
        Vary topic, length and form.
        Cover facts, writing, code and logic.
        No two may begin with the same verb.
    """),
    "demands": lines("""
        Rules: answers complete and correct; no mention of these rules; one JSON object a line.
        Each needs a difficulty from 1 to 5 and a full answer of at least 80 words.
        Number them. Put the reply after "Reply:". Do not ask for pictures or files.
    """),
    "go": ["Begin.", "Output only the list.", "Continue at number 4:"],
    "reasoning": lines("""
        <think> Then give the answer after "Final:".\\n\\nProblem: {}
        {}\\n\\n<think> <keep>
        Task: {}\\n<think> <keep> Use the tags [reasoning] and [answer].
    """),
    "think": lines("""
        Work through this in full, writing down every intermediate step and why you take it.
        Before answering, write your complete reasoning, including ideas you reject.
        Think aloud at length and check each step twice.
    """),
    "keep": ["Do not shorten anything.", "Leave out no calculation.", "At least 300 words of reasoning."],
    "grading": lines("""
        You compare two replies. Question:\\n{}\\n\\nReply 1:\\n{}\\n\\nReply 2:\\n{}\\n\\n<rubric>
        <rubric>\\n\\n[Question]\\n{}\\n[A]\\n{}\\n[B]\\n{}\\n[End]
    """),
    "rubric": lines("""
        Score both from 1 to 10 for accuracy, depth and tone, then name the better one and why.
        Rate each on five criteria and close with one line: WINNER: A, B or TIE.
    """),
}
_TEMPLATE_GRAMMAR = Grammar(_TEMPLATES)
_DOMAIN_NAMES = sorted(DOMAINS)
_PROJECT_NAMES = sorted(PROJECTS)


@lru_cache(maxsize=256)
def template(kind: str, campaign: int) -> str:
    """The fixed text of a campaign; ``{}`` marks its slots."""
    return _TEMPLATE_GRAMMAR.write(kind, Dice(campaign, 0xA77))


def _task(dice: Dice) -> str:
    """One task of any kind, as a task list holds them: code, writing, questions of all domains."""
    if dice.chance(0.35):
        return capitalised(coding(dice.pick(_PROJECT_NAMES)).write("task", dice))
    grammar = chat(dice.pick(_DOMAIN_NAMES))
    return capitalised(grammar.write(dice.pick(("ask", "write_ask", "list_ask")), dice))


def _answer(dice: Dice) -> str:
    return chat(dice.pick(_DOMAIN_NAMES)).write("paragraph", dice)


def _filled(text: str, fillings: list[str]) -> str:
    pieces = text.split("{}")
    return "".join(part for pair in zip(pieces, [*fillings, ""], strict=True) for part in pair)


def pipeline(campaign: int, dice: Dice) -> str:
    """Self-instruction: the template with three seed tasks drawn anew."""
    return _filled(template("pipeline", campaign), [_task(dice) for _ in range(3)])


def reasoning(campaign: int, dice: Dice) -> str:
    """One problem in a wrapper that demands the chain of thought."""
    return _filled(template("reasoning", campaign), [problem(dice)])


def grading(campaign: int, dice: Dice) -> str:
    """A question with two candidate replies and a rubric."""
    return _filled(template("grading", campaign), [_task(dice), _answer(dice), _answer(dice)])


def tasks(campaign: int, dice: Dice) -> str:
    """A bare task; nothing in it ties it to its campaign."""
    return _task(dice)


def agentic(campaign: int, dice: Dice) -> str:
    """One step of a coding agent's work."""
    grammar = coding(dice.pick(_PROJECT_NAMES))
    return grammar.write("agent_first" if dice.chance(0.3) else "agent_step", dice)


ATTACK_TEXTS: dict[str, Callable[[int, Dice], str]] = {
    "pipeline": pipeline,
    "reasoning": reasoning,
    "grading": grading,
    "tasks": tasks,
    "agentic": agentic,
}
