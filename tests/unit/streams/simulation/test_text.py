from collections import Counter

import pytest

from streams.simulation.text.applications import application
from streams.simulation.text.attacks import ATTACK_TEXTS, template
from streams.simulation.text.code import PROJECTS, coding
from streams.simulation.text.domains import DOMAINS
from streams.simulation.text.english import chat
from streams.simulation.text.grammar import Dice, Grammar
from streams.simulation.text.languages import LANGUAGES
from streams.simulation.text.languages import chat as foreign
from streams.simulation.text.writers import WRITERS, person


def head(text: str, words: int = 8) -> str:
    return " ".join(text.split()[:words])


def test_a_rule_that_refers_to_nothing_is_refused():
    with pytest.raises(KeyError, match="<missing>, used by 'a'"):
        Grammar({"a": ["<missing>"]})


def test_dice_are_fair_and_repeatable():
    counts = Counter(Dice(7, i).below(10) for i in range(20_000))
    assert max(counts.values()) < 2300
    assert min(counts.values()) > 1700
    assert [Dice(1, 2).below(1000) for _ in range(3)] == [Dice(1, 2).below(1000)] * 3
    assert sum(Dice(i).chance(0.25) for i in range(20_000)) == pytest.approx(5000, abs=300)


def test_sampling_never_repeats():
    assert sorted(Dice(3).sample(range(5), 9)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("domain", sorted(DOMAINS))
def test_every_english_symbol_can_be_written(domain):
    for symbol in ("first", "follow", "document"):
        texts = [chat(domain).write(symbol, Dice(i)) for i in range(50)]
        assert all(texts)
        assert not any("<" in text or ">" in text for text in texts)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_other_languages(language):
    texts = [foreign(language).write("first", Dice(i)) for i in range(200)]
    assert len(set(texts)) > 100


@pytest.mark.parametrize("project", sorted(PROJECTS))
def test_code(project):
    assert len({coding(project).write("first", Dice(i)) for i in range(300)}) > 250


@pytest.mark.parametrize("writer", sorted(WRITERS))
def test_a_writer_is_a_function_of_its_seeds(writer):
    write = WRITERS[writer]
    assert write(5, 6, 0, 7) == write(5, 6, 0, 7)
    assert len({write(5, 6, 0, event).prompt for event in range(60)}) > 20


def test_people_repeat_neither_prompts_nor_heads_much():
    """What tells people from pipelines: no head takes more than a few per cent of somebody's prompts."""
    for account in range(20):
        prompts = [person(account, visit, 0, 1000 * account + visit).prompt for visit in range(300)]
        heads = Counter(head(prompt) for prompt in prompts if len(prompt.split()) >= 16)
        if heads.total() >= 50:  # too few long prompts otherwise
            assert heads.most_common(1)[0][1] < 0.1 * heads.total()


def test_a_campaign_has_one_template_and_another_campaign_another():
    assert template("pipeline", 1) == template("pipeline", 1)
    assert len({template("pipeline", campaign) for campaign in range(40)}) > 20


@pytest.mark.parametrize("kind", ["pipeline", "reasoning", "grading"])
def test_attack_slots_are_filled_and_the_frame_stays(kind):
    frame = template(kind, 4)
    prompts = {ATTACK_TEXTS[kind](4, Dice(i)) for i in range(50)}
    assert len(prompts) > 40
    pieces = [piece for piece in frame.split("{}") if piece]
    assert all(piece in prompt for prompt in prompts for piece in pieces)
    assert not any("{}" in prompt for prompt in prompts)


def test_where_an_application_puts_its_instruction():
    jobs = [application(seed, "job") for seed in range(40)]
    assert all(app.system and app.frame == "{}" for app in jobs)
    processors = [application(seed, "processor") for seed in range(40)]
    assert {app.frame == "{}" for app in processors} == {True, False}
    assert all(app.system for app in (application(seed, "assistant") for seed in range(10)))
