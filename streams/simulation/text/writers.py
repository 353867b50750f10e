"""Who writes which prompts: one function per kind of account, all pure functions of seeds.

A writer gets the account's seed (what stays the same: language, topics, application, template), the
visit's seed (what this conversation is about), the turn, and the event's own seed. A retry repeats the
event's seed and therefore its text.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from streams.simulation.text import languages
from streams.simulation.text.applications import application, evaluation_prompt
from streams.simulation.text.attacks import ATTACK_TEXTS
from streams.simulation.text.code import PROJECTS, coding
from streams.simulation.text.domains import DOMAINS
from streams.simulation.text.english import chat, styled
from streams.simulation.text.grammar import Dice

_DOMAINS = sorted(DOMAINS)
_PROJECTS = sorted(PROJECTS)
_LANGUAGES = sorted(languages.LANGUAGES)

NON_ENGLISH_SHARE = 0.35
"""Share of people who write in another language. Ours, not measured."""


_AGENT_SYSTEM = "You are a coding agent. Use the tools, change as little as possible, run the tests."


class Message(NamedTuple):
    """What one request says."""

    prompt: str
    system: str | None = None


Writer = Callable[[int, int, int, int], Message]
"""``(account_seed, visit_seed, turn, event_seed)`` to message; `turn` counts from 0."""


class _Person(NamedTuple):
    language: str
    domains: list[str]
    projects: list[str]


@lru_cache(maxsize=8192)
def _person(account: int) -> _Person:
    dice = Dice(account, 0x9E5)
    language = dice.pick(_LANGUAGES) if dice.chance(NON_ENGLISH_SHARE) else "en"
    return _Person(
        language=language,
        domains=dice.sample(_DOMAINS, 2 + dice.below(4)),
        projects=dice.sample(_PROJECTS, 1 + dice.below(2)),
    )


def person(account: int, visit: int, turn: int, event: int) -> Message:
    """Somebody with a few lasting interests who talks in one language and one style."""
    who, dice = _person(account), Dice(event)
    symbol = "follow" if turn else "first"
    if who.language != "en":
        return Message(languages.chat(who.language).write(symbol, dice))
    domain = Dice(visit).pick(who.domains)
    return Message(styled(chat(domain).write(symbol, dice), account, dice))


def developer(account: int, visit: int, turn: int, event: int) -> Message:
    """Somebody who works on one or two code bases and asks other things now and then."""
    if Dice(visit, 1).chance(0.2):
        return person(account, visit, turn, event)
    project = Dice(visit).pick(_person(account).projects)
    dice = Dice(event)
    return Message(styled(coding(project).write("follow" if turn else "first", dice), account, dice))


def completion(account: int, visit: int, turn: int, event: int) -> Message:
    """An editor that asks for the next lines of the file under the cursor."""
    project = Dice(visit).pick(_person(account).projects)
    return Message(coding(project).write("snippet", Dice(event)), "Complete the code at the cursor.")


def agent(account: int, visit: int, turn: int, event: int) -> Message:
    """A coding agent: one order, then the results of its tool calls."""
    project = Dice(visit).pick(_person(account).projects)
    text = coding(project).write("agent_step" if turn else "agent_first", Dice(event))
    return Message(text, _AGENT_SYSTEM)


def assistant(account: int, visit: int, turn: int, event: int) -> Message:
    """A chat assistant of some company, talking to its end users."""
    app, dice = application(account, "assistant"), Dice(event)
    return Message(styled(app.prompt(dice, turn), visit, dice), app.system)


def processor(account: int, visit: int, turn: int, event: int) -> Message:
    """An application that sends records, one at a time, with the same instruction around or before them."""
    app = application(account, "processor")
    return Message(app.prompt(Dice(event), turn), app.system)


def job(account: int, visit: int, turn: int, event: int) -> Message:
    """The same with its instruction in the system prompt, so that user messages are bare records."""
    app = application(account, "job")
    return Message(app.prompt(Dice(event), turn), app.system)


def evaluation(account: int, visit: int, turn: int, event: int) -> Message:
    """A customer who measures a model: test questions in one wrapper."""
    return Message(evaluation_prompt(account, Dice(event)))


def _attack(kind: str) -> Writer:
    write = ATTACK_TEXTS[kind]

    def writer(account: int, visit: int, turn: int, event: int) -> Message:
        # all accounts of a campaign share their seed here, hence its template
        return Message(write(account, Dice(event)))

    return writer


WRITERS: dict[str, Writer] = {
    "person": person,
    "developer": developer,
    "completion": completion,
    "agent": agent,
    "assistant": assistant,
    "processor": processor,
    "job": job,
    "evaluation": evaluation,
    **{f"attack-{kind}": _attack(kind) for kind in ATTACK_TEXTS},
}
