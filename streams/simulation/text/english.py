# ruff: noqa: E501 - a line holds one sentence of a grammar
"""How English-speaking people talk to a model: first messages, follow-ups, pasted documents."""

from __future__ import annotations

from functools import cache

from streams.simulation.text.domains import DOMAINS
from streams.simulation.text.grammar import Dice, Grammar, Rules, capitalised, lines, phrases

NAMES = phrases(
    "Amira; Jonas; Priya; Mateo; Ingrid; Kofi; Hana; Lucia; Tomasz; Yara; Declan; Mei; Oskar; Fatou; Rosa; "
    "Ivan; Noor; Benoît; Siobhan; Ravi; Elif; Pedro; Greta; Samuel; Aiko; Dragan; Leila; Hugo; Nadia; Finn"
)

SHARED: Rules = {
    "d": [*"0123456789"],
    "nz": [*"123456789"],
    "small": ["two", "three", "four", "five", "six", "3", "4", "5", "7", "8", "10", "12"],
    "percent": ["<nz> %", "<nz><d> %", "<nz>.<d> %"],
    "sum": ["<nz><d>", "<nz><d>0", "<nz>,<d>00", "<nz><d>,<d>00"],
    "day": phrases("Monday; Tuesday; Wednesday; Thursday; Friday; Saturday; Sunday"),
    "month": phrases(
        "January; February; March; April; May; June; July; August; September; October; November; December"
    ),
    "name": NAMES,
    "year": ["19<nz><d>", "20<twenty>"],
    "twenty": ["0<d>", "1<d>", "2<low>"],
    "low": ["0", "1", "2", "3", "4", "5", "6"],
}

_CHAT: Rules = {
    "first": lines("""
        <ask>
        <ask>
        <ask> <extra>
        <setting> <ask>
        <setting> <ask> <extra>
        <setting> <setting> <ask>
        <trouble_say> <request>
        <trouble_say> <setting> <request>
        <write_ask>
        <write_ask> <extra>
        <write_ask> <facts>
        <list_ask>
        <list_ask> <extra>
        <paste_ask>\\n\\n<document>
        <document>\\n\\n<paste_ask>
        <trouble_say> <tried> <request> <extra>
        <idle>
    """),
    "ask": lines("""
        how do I <do>?
        how would you <do> <limit>?
        what is the best way to <do>?
        what should I know before I <do>?
        can you explain <topic> to <person>?
        explain <topic> <manner>.
        why does <topic> matter so much?
        what do people get wrong about <topic>?
        is there a link between <topic> and <topic>?
        what's the real difference between <thing>?
        <thing>: which one would you take <limit>?
        I keep hearing about <topic>. what is it, in plain words?
        where would <person> start if they wanted to <do>?
        does it make sense to <do> <limit>?
        could <person> <do> without help?
        tell me something surprising about <topic>.
        what are the arguments for and against <thing>?
        help me <do>.
        teach me enough about <topic> to <do>.
        is it a bad idea to <do> <limit>?
        which mistakes do people make when they try to <do>?
        give me your honest opinion on <thing>.
        how long does it take to <do>?
        what would it cost to <do> <limit>, roughly?
        when did <topic> become a thing?
    """),
    "write_ask": lines("""
        write <format> about <topic> for <person>.
        draft <format> to <person>: <trouble>.
        I need <format> that explains how to <do>.
        turn this idea into <format>: <topic>, told by <person>.
        make <format> out of these notes: <trouble>; <topic>; <thing>.
        please write <format> on <thing>, <manner>.
        compose <format>. it should mention <topic> and <thing>.
        rewrite "<trouble>" <manner>.
    """),
    "format": phrases(
        "a short email; a blog post; a letter of complaint; a two-minute speech; a poem; a checklist; a "
        "dialogue; a product text; a one-page summary; a quiz with answers; a table; a social media post; "
        "a polite reminder; an opening paragraph; a limerick; an agenda; an apology; a leaflet"
    ),
    "list_ask": lines("""
        give me <small> ideas to <do>.
        list <small> things <person> should know about <topic>.
        make a <small>-day plan to <do> <limit>.
        name <small> books or films about <topic>.
        suggest <small> questions on <topic> for <person>.
        what are <small> alternatives if <trouble>?
        rank <thing> by price, effort and result.
        put together a shopping list so I can <do>.
    """),
    "setting": lines("""
        I'm planning this for <person>.
        it's for <person> and it has to be done by <day>.
        we live in a small town and have about <sum> to spend.
        I have <small> weeks.
        I've read a bit about <topic> already.
        my <relative> wants to <do>.
        last <month> I tried to <do> and gave up.
        background: <trouble>.
        at work we deal with <topic> all the time.
        I know nothing about <topic>.
        there are <small> of us.
        this is a follow-up to something <name> told me.
    """),
    "relative": phrases("sister; uncle; boss; neighbour; son; wife; husband; colleague <name>; friend <name>"),
    "trouble_say": lines("""
        <trouble>.
        <trouble>, and I don't know why.
        since <month>, <trouble>.
        for the <small>th time this <unit_time>: <trouble>!
        so, <trouble>.
        <name> says it's normal, but <trouble>.
        <trouble> whenever I try to <do>.
    """),
    "unit_time": ["week", "month", "year", "winter"],
    "tried": lines("""
        I already tried to <do>.
        I read about <topic> but it didn't help.
        <name> told me to <do>.
        nothing changed after <small> days.
    """),
    "request": lines("""
        what can I do?
        any ideas?
        what would you check first?
        is this serious?
        how can I <do> in spite of that?
        who should I call?
        what is the likely cause?
        should I wait or act now?
    """),
    "extra": lines("""
        keep it under <nz><d>0 words.
        please answer in bullet points.
        no jargon please.
        I'd like examples.
        be brief.
        <person> should be able to follow it.
        a table would be great.
        don't tell me to see a professional, I already did.
        I'm on my phone so keep it short.
        add the sources you rely on.
        if something is uncertain, say so.
        preferably something that costs less than <sum>.
        thanks!
        thank you in advance
        explain your choice in a sentence or two.
    """),
    "limit": lines("""
        with very little time
        on a budget of <sum>
        in <month>
        without special tools
        for <person>
        if you only had <small> days
        without annoying <person>
        in a rented flat
        when <trouble>
    """),
    "manner": lines("""
        in simple words
        like I'm twelve
        step by step
        in <small> sentences
        with an everyday example
        for <person>
        with a bit of humour
        in a formal tone
        from the point of view of <person>
        as a comparison with <topic>
    """),
    "facts": lines("""
        facts: <day>, <nz><d> people, <sum> budget, contact is <name>.
        it happened on <day>, <name> was there as well.
        mention that <trouble>.
        sign it with <name>.
    """),
    "idle": lines("""
        hello
        hi, are you there?
        good morning! what can you help me with?
        tell me a joke about <topic>
        I'm bored. ask me a question about <topic>.
        let's play twenty questions, I'm thinking of something to do with <topic>
        who would win an argument, <person> or <person>?
    """),
    "follow": lines("""
        <again>
        <again> <extra>
        and <ask>
        ok, but <ask>
        <thanks> <ask>
        what about <topic>?
        can you say more about <topic>?
        shorter please.
        make it sound less stiff.
        that's not what I meant. <ask>
        I don't get the part about <topic>.
        and if <trouble>?
        would that work for <person> too?
        now the same for <person>.
        are you sure? <name> says otherwise.
        <thanks> now <list_ask>
        continue
        which of these would you do first?
        give an example with <thing>.
        how does that fit with <topic>?
        <trouble> though. <request>
        translate that into <tongue>.
    """),
    "again": lines("""
        can you rewrite that <manner>?
        try again, <manner>.
        please redo it as <format>.
        drop the second point and expand the last one.
        swap <thing> in your example.
        too long. only the parts on <topic>.
        put it in a table.
    """),
    "thanks": phrases("thanks!; great.; perfect, thank you.; hm.; ok.; nice one; I see.; that helps."),
    "tongue": phrases("Spanish; German; French; Italian; Polish; Turkish; Hindi; Dutch; Korean"),
    "paste_ask": lines("""
        summarise this in <small> sentences
        what are the main points here?
        please correct the grammar and keep my tone:
        can you make this more friendly?
        is there anything in here I should push back on?
        turn this into bullet points for <person>
        rewrite for <person>
        what is missing in this text?
        pull out every date and amount:
        reply to this on my behalf, polite but firm
        translate to <tongue>, keep the names
    """),
    "document": lines("""
        <sentence>
        <sentence> <sentence>
        <sentence> <sentence> <sentence>
        <sentence> <sentence>\\n\\n<sentence> <sentence> <sentence>
        <paragraph>\\n\\n<paragraph>
        <paragraph>\\n<paragraph>\\n<paragraph>
        Dear <name>,\\n\\n<paragraph>\\n\\n<paragraph>\\n\\nBest wishes\\n<name>
        Minutes, <day> <nz> <month>\\n- <sentence>\\n- <sentence>\\n- <sentence>\\n- <sentence>
        <name>: <sentence>\\n<name>: <sentence>\\n<name>: <sentence> <sentence>
    """),
    "paragraph": lines("""
        <sentence> <sentence> <sentence>
        <sentence> <sentence> <sentence> <sentence>
        <sentence> <sentence> <sentence> <sentence> <sentence>
    """),
    "sentence": lines("""
        In <month> we spoke about <topic> and agreed to look at the figures again.
        The share of <topic> rose by <percent> compared with <year>.
        <name> offered to <do> before <day>.
        It turned out that <trouble>.
        Nobody had expected this, least of all <person>.
        We compared <thing> over <small> weeks and saw little difference.
        According to <name>, <person> asked twice about <topic>.
        The whole thing cost <sum>, which is <percent> more than planned.
        I still believe that it is possible to <do> without extra staff.
        Between <month> and <month> the number fell from <sum> to <sum>.
        As for <topic>, there is no decision yet.
        Please let me know by <day> whether you can <do>.
        When <name> tried to <do>, <trouble>.
        Most answers came from <person>; only <percent> mentioned <topic>.
        A second visit in <year> confirmed the impression.
        The draft says nothing about <topic>.
        On <day> the hall was half empty, yet <person> stayed until the end.
        That leaves <small> open questions, above all <topic>.
        For <person> this matters more than <thing>.
        We would rather wait than rush it.
    """),
}


@cache
def chat(domain: str) -> Grammar:
    """Grammar of private and office conversation in that domain of `DOMAINS`.

    Symbols to start from: ``first``, ``follow``, ``document``, ``sentence``.
    """
    return Grammar(SHARED, _CHAT, DOMAINS[domain])


def styled(text: str, person: int, dice: Dice) -> str:
    """`text` in the writing habits of one person: capitals, punctuation, greeting, closing.

    Args:
        person: seed of the person; the habit is a function of it.
        dice: source of the choices of this one message.
    """
    habit = Dice(person, 0x5717)
    sloppy, greets, tidy = habit.chance(0.25), habit.chance(0.2), habit.chance(0.5)
    if greets and dice.chance(0.4):
        text = f"{dice.pick(('hi', 'hey', 'hello', 'good morning', 'hi there'))}, {text}"
    if sloppy:
        text = text.replace("'", "").replace(". ", " ") if dice.chance(0.5) else text
        return text.rstrip(".?").lower() if "\n" not in text else text
    if tidy or dice.chance(0.5):
        return ". ".join(capitalised(part) for part in text.split(". "))
    return text
