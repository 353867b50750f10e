"""What distils, for `held_out`: prompts by number, of pipelines that no parameter was fitted to.

Mechanisms are those of published ways of making training data, words our own: rewriting and evolving
instructions, personas, grids of subjects and audiences, questions about documents, dialogues, critiques,
comparisons, patches, holes in code; lists without any wording around them; one prompt asked several times.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from agents.prompt_collections import Collections
from streams.simulation.text import attacks, languages
from streams.simulation.text.grammar import Dice

Pipeline = Callable[[int, random.Random], str]
"""Prompt of a number."""

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


def persona(dice: random.Random) -> str:
    """Somebody."""
    return f"a {dice.choice(KINDS)} {dice.choice(TRADES)} who {dice.choice(HABITS)}"


def first(collections: Collections) -> dict[str, Pipeline]:
    """Fifteen that no parameter was fitted to, though how soon to speak was weighed with them in sight."""
    tasks, code = collections.gsm8k_train(), collections.benchmark()[-164:]
    orders = [example[0] for example in collections.teacher_examples()[1]]
    both = tasks + orders
    full = [f"{order}\n{given}" for order, given, _ in collections.teacher_examples()[1]]
    mixed = random.Random(1).sample(full + tasks[:100] + code[:100], 300)
    spoken = sorted(languages.LANGUAGES)

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


SUBJECTS = (
    "photosynthesis", "bond prices", "congestion control", "medieval guilds", "gradient descent", "tort law",
    "sourdough", "orbits", "the immune system", "chess openings", "supply chains", "metre in poetry",
    "index funds", "plate tectonics", "regular expressions", "set theory", "garbage collection",
    "negotiation", "heat pumps", "vaccines", "river deltas", "jazz harmony", "public keys", "insulin",
    "solar panels", "Roman law", "game theory", "bird migration", "compilers", "city planning",
)  # fmt: skip
READERS = ("a child of ten", "an undergraduate", "an expert", "a busy manager", "a blind reader", "a sceptic")
GIVEN = ("一个例子", "推理过程", "两个反例")
TONGUES = ("Japanese", "Arabic", "Hindi", "Swahili", "Korean")
CODED = ("Python", "Rust", "Go", "TypeScript", "C++", "Java", "Kotlin", "Haskell")
VERBS = ("parse", "validate", "merge", "stream", "cache", "schedule", "compress", "index", "serialise")
THINGS = ("log files", "tokens", "rows of a table", "a binary tree", "image tiles", "payments", "edges")
BOUNDS = ("in linear memory", "without recursion", "with unit tests", "so that threads may share it")
TURNS = (
    "I'd like to understand {}. Where do I begin?", "How does {} work in practice?",
    "Which mistakes do people make about it?", "Give me an example with numbers.",
    "How would an expert see that?", "Sum up what we have said.",
)  # fmt: skip
AGAIN = (4, 16)
"""So often one prompt is asked, where answers are sampled several times."""


def later(collections: Collections) -> dict[str, Pipeline]:
    """Others, written when all parameters stood."""
    tasks, code = collections.gsm8k_train(), collections.benchmark()[-164:]
    said = [prompt for _, prompt in collections.benign()]
    pages = [prompt for prompt in said if 400 < len(prompt) < 2500]
    asked = [prompt for prompt in said if 15 < len(prompt) < 300]

    def evolved(n: int, dice: random.Random) -> str:
        way = dice.choice(("add a condition", "go deeper", "make it concrete", "ask for more steps"))
        return f"Rewrite this prompt into a harder one. Method: {way}.\n#Old#: {dice.choice(asked)}\n#New#:"

    def programs(n: int, dice: random.Random) -> str:
        what = f"{dice.choice(VERBS)} {dice.choice(THINGS)} {dice.choice(BOUNDS)}"
        return f"Write a {dice.choice(CODED)} {dice.choice(('function', 'class', 'module'))} to {what}."

    def dialogue(n: int, dice: random.Random) -> str:
        return TURNS[n % len(TURNS)].format(SUBJECTS[n // len(TURNS) % len(SUBJECTS)])

    def tools(n: int, dice: random.Random) -> str:
        goal = f"{dice.choice(VERBS)} {dice.choice(THINGS)}"
        seen = dice.choice(pages)[:300]
        return json.dumps({"tools": ["search", "python"], "goal": goal, "observation": seen, "step": n % 9})

    def hole(n: int, dice: random.Random) -> str:
        text = dice.choice(code)
        return f"<before>{text[: len(text) // 2]}<after>{text[len(text) // 2 + 30 :]}<middle>"

    def patch(n: int, dice: random.Random) -> str:
        when = dice.choice(("under load", "when empty"))
        fault = f"{dice.choice(VERBS)} of {dice.choice(THINGS)} fails {when}"
        return f"Issue: {fault}.\nFile:\n```python\n{dice.choice(code)[:600]}\n```\nAnswer with a diff."

    def compared(n: int, dice: random.Random) -> str:
        one, other = dice.choice(pages)[:300], dice.choice(pages)[300:600]
        question = f"Question: {dice.choice(asked)}"
        return f"{question}\nA: {one}\nB: {other}\nWhich is better, [[A]] or [[B]], and why?"

    def grid(n: int, dice: random.Random) -> str:
        size = dice.choice((200, 400, 600))
        return f"Explain {dice.choice(SUBJECTS)} to {dice.choice(READERS)} in {size} words."

    def queries(n: int, dice: random.Random) -> str:
        which, what = dice.choice(("top", "last")), dice.choice(("users", "items", "days"))
        tables = "orders(id, user, total, day), users(id, name), items(order, sku)"
        return f"Tables: {tables}.\nQuery: {which} {dice.randrange(2, 20)} {what} by total."

    def several(n: int, dice: random.Random) -> str:
        return "Answer each.\n" + "\n".join(f"{i + 1}. {dice.choice(tasks)}" for i in range(5))

    def thought(n: int, dice: random.Random) -> str:
        return f"{dice.choice(tasks)} Let's reason with care before we answer."

    return {
        "evolved": evolved,
        "programs": programs,
        "document, questions": lambda n, dice: (
            f"{dice.choice(pages)[:1500]}\n\nWrite three questions about this text, each with its answer."
        ),
        "eight tasks, a ninth": lambda n, dice: (
            "Go on with this list of tasks.\n" + "\n".join(f"{i + 1}. {dice.choice(asked)}" for i in range(8))
        ),
        "dialogues": dialogue,
        "grid": grid,
        "thought": thought,
        "five at once": several,
        "tools": tools,
        "compared": compared,
        "translated pages": lambda n, dice: (
            f"{dice.choice(pages)[:400]}\n\nIn {dice.choice(TONGUES)}, please."
        ),
        "hole in code": hole,
        "patches": patch,
        "roles": lambda n, dice: (
            f"You are {persona(dice)}, and talk with {dice.choice(READERS)} about {dice.choice(SUBJECTS)}. "
            "Write the next ten turns."
        ),
        "German": lambda n, dice: (
            f"Erkläre {dice.choice(SUBJECTS)} für {dice.choice(('Kinder', 'Fachleute'))} mit einem Beispiel."
        ),
        "Chinese": lambda n, dice: f"请详细解释{dice.choice(SUBJECTS)}, 并给出{dice.choice(GIVEN)}",
        "critique": lambda n, dice: (
            f"Is this answer {dice.choice(('honest', 'harmless', 'helpful'))}? Criticise and improve it.\n\n"
            f"{dice.choice(pages)[:500]}"
        ),
        "queries": queries,
        "four in turn": lambda n, dice: (programs, grid, dialogue, thought)[dice.randrange(4)](n, dice),
        "people's first prompts": lambda n, dice: asked[n % len(asked)],
        "one prompt": lambda n, dice: "<user>",
    } | {
        f"{name}, {times} times": _again(pipeline, times)
        for name, pipeline in (("evolved", evolved), ("thought", thought))
        for times in AGAIN
    }


def _again(pipeline: Pipeline, times: int) -> Pipeline:
    """The same prompt, so often in turn."""
    return lambda n, dice: pipeline(n // times, random.Random(n // times))


SETS: dict[str, Callable[[Collections], dict[str, Pipeline]]] = {"first": first, "later": later}
