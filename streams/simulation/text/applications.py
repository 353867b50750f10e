# ruff: noqa: E501 - a line holds one sentence of a grammar
"""Single-purpose applications: a fixed instruction with variable parts, as honest products have them.

An application is a function of its seed: which kind it is, how its instruction is worded, where the
instruction goes (system prompt or around the user's text). Its records come from grammars below.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import msgspec

from streams.simulation.text.domains import DOMAINS
from streams.simulation.text.english import SHARED, chat
from streams.simulation.text.grammar import Dice, Grammar, Rules, lines, phrases

_RECORDS: Rules = {
    "review": lines("""
        <praise>
        <praise> <grumble>
        <grumble>
        <grumble> <grumble>
        <praise> <praise> <use>
        <use> <grumble> <verdict>
        <use> <praise> <verdict>
        <verdict>
    """),
    "praise": lines("""
        The <product> feels solid and <name> loves it.
        Arrived a day early, well packed.
        Best <product> I've had in <small> years.
        Very quiet, and the <part> is easy to clean.
        Good value at <sum>.
        I bought a second <product> for my <kin>.
        Battery lasts <small> days, as promised.
    """),
    "grumble": lines("""
        The <part> broke after <small> weeks.
        Instructions are a joke.
        Smells of plastic even after a wash.
        Customer service took <nz><d> days to answer.
        Smaller than it looks in the pictures.
        The <part> rattles.
        I paid <sum> and got the wrong colour.
        The app wants my birthday to turn on a <product>!
    """),
    "use": lines("""
        We use it every <day> at the <place>.
        I'm <nz><d> and not good with gadgets.
        Replaced my old <product> from 20<twenty>.
        Bought it for a trip in <month>.
        Two kids and a dog, so things get tested here.
    """),
    "verdict": phrases(
        "Would buy again.; Three stars.; Sent it back.; Not for me.; Do yourself a favour.; It's ok.; "
        "Five stars!; Never again; Happy so far."
    ),
    "product": phrases(
        "kettle; backpack; desk lamp; bike pump; rain jacket; headset; blender; tent; office chair; keyboard; "
        "hair dryer; toaster; water bottle; drill; pillow; stroller; watch; sandal; grill; thermos"
    ),
    "part": phrases("zip; lid; handle; cable; hinge; filter; strap; button; wheel; screen; seam; lock"),
    "kin": phrases("mother; brother; neighbour; daughter; colleague; father-in-law"),
    "place": phrases("office; cabin; studio; allotment; school; boat; café"),
    "ticket": lines("""
        Order <nz><d><d><d><d>: <issue> Please call me on <day>.
        Hello, <issue> I have been a customer since 20<twenty>. <name>
        <issue> <issue> What happens now?
        Hi <name>, thanks for the quick reply, but <issue>
        URGENT <issue>
        I wrote on <day> already. <issue> Ticket <nz><d><d><d>.
        <question>
        Good evening, <question> Regards, <name>
    """),
    "issue": lines("""
        the <product> came without the <part>.
        I was charged <sum> twice in <month>.
        your site logs me out when I open the basket.
        the parcel has been in the same depot since <day>.
        I can't change my address to <nz><d> <street>.
        the voucher for <nz><d> % is refused.
        the invoice still shows the old company name.
        the <part> of my <product> is loose.
        my subscription renewed although I cancelled in <month>.
        the courier left it at number <nz><d> and nobody knows them.
    """),
    "question": lines("""
        do you deliver to <street>, and what does it cost?
        is the <product> dishwasher safe?
        when will the grey <product> be back?
        can I collect it on <day> after six?
        does the warranty cover the <part>?
        how do I return a <product> without the box?
    """),
    "street": phrases("Mill Lane; Harbour Street; Station Road; Elm Close; Bishop's Walk; Quay Side; Ropemaker Row"),
    "goods": lines("""
        <product>, <colour>, <material>, <nz><d>0 g, price <sum>, for <who>
        name: <product> "<name>"; material: <material>; colours: <colour>, <colour>; extras: spare <part>
        SKU <nz><d><d><d>-<d><d> | <product> | <colour> | <material> | new <part>
    """),
    "colour": phrases("ochre; slate; mint; navy; crimson; sand; black; cream; teal; plum"),
    "material": phrases("cork; recycled nylon; steel; beech; wool; bamboo; ceramic; linen; aluminium"),
    "who": phrases("commuters; small kitchens; campers; left-handers; students; gardeners; toddlers"),
    "invoice": lines("""
        INVOICE <nz><d><d><d>\\n<name> & Sons, <nz><d> <street>\\n<nz> x <product> <sum>\\n<nz> x <part> <sum>\\nDue <nz><d> <month>
        Bill to: <name>\\nRef <nz><d><d><d><d><d>\\n<product> .......... <sum>\\nFreight .......... <nz><d>\\nVAT <nz><d> %\\nPayable by <day>
        Receipt no. <d><d><d><d> / <month> <nz><d>\\n<small> <product>s, <sum> each\\ndiscount <nz> %\\npaid in cash, thank you <name>
    """),
    "candidate": lines("""
        <name>, <nz><d> years in <field>, last at a <place>. Speaks <small> languages. Led <nz><d> people. Hobbies: <topic_word>.
        Profile: <field>; certificate 20<twenty>; gap in 20<twenty> (parental leave); available from <month>; wants <sum>.
        <name> studied <field> until 20<twenty>, then <small> jobs in <nz> years, most recently planning for a <place>.
    """),
    "field": phrases("logistics; nursing; carpentry; accounting; web design; teaching; catering; welding; law"),
    "topic_word": phrases("rowing; choir; chess; bees; marathon; pottery; radio; sewing"),
    "ui": lines("""
        btn_<part>_save = "Save <part>"
        Your <product> is on its way, <name>!
        {count} <product>s left in <place>
        Error <nz><d><d>: the <part> could not be read. Try again in {minutes} minutes.
        Delete <colour> theme? This cannot be undone.
        Hi {first_name}, you have <small> new messages about your <product>.
        Choose a <part> to continue
    """),
    "fridge": lines("""
        <food>, <food>, half a <food>, <food>. <small> people, <nz>0 minutes
        I have <food> and <food> and no oven
        <food>; <food>; <food>; vegetarian
        leftover <food>, <food>, some <food>, kids hate <food>
    """),
    "food": phrases(
        "leek; rice; lemon; egg; lentils; carrot; feta; courgette; tuna; oats; tomato; tofu; potato; yoghurt; "
        "spinach; chickpeas; mushroom; pear; bread; coconut milk"
    ),
    "comment": lines("""
        @<name> you clearly never owned a <product>
        first!! greetings from <street>
        I disagree with <name>, the <part> is not the problem
        buy cheap <product>s at my page, link in bio
        this made my <day>
        why is nobody talking about <topic_word>
        <name> blocked me for saying that <verdict>
        lol. <verdict>
    """),
    "item": lines("""
        A <place> sells <nz><d> <product>s on <day> and <nz> times as many on <day>. How many are sold on both days?
        <name> has <nz><d> <food>s, gives <nz> to <name> and splits the rest evenly between <small> baskets. How many are in a basket?
        A <product> costs <nz><d><d>. It is reduced by <nz>0 % and then by a further <nz> %. What is the final price?
        Which of these conducts electricity best? (A) <material> (B) <material> (C) <food> (D) steel
        Complete the sentence: After the rain the <place> was <colour> and the <part> of the <product> ...
        True or false: every <product> made of <material> floats on water.
        A train leaves at <nz>:<nz><d> and needs <nz><d> minutes to the <place>; the next leaves <nz> minutes later. When do they meet?
        Sort by age: <name> is older than <name>, who is younger than <name> but older than <name>.
    """),
}  # fmt: skip

_RECORD_GRAMMAR = Grammar(SHARED, _RECORDS)

_KINDS: tuple[tuple[str, Rules], ...] = (
    ("review", {"order": lines("""
        Decide whether the customer is <a> or <b>. Answer with one word.
        Label the sentiment of the text as <a>, <b> or mixed.
        Give the review below a score from 1 to 5 and the reason in one line.
    """), "a": ["positive", "happy", "satisfied"], "b": ["negative", "unhappy", "annoyed"]}),
    ("ticket", {"order": lines("""
        Route the message to one of these teams: <a>. Return JSON with team and urgency.
        Write a friendly reply of at most <n> sentences. Never promise a refund.
        Summarise the customer's problem in one sentence and list what is missing to solve it.
    """), "a": ["billing, shipping, returns, technical", "sales, service, complaints, spam"],
     "n": ["three", "four", "five"]}),
    ("goods", {"order": lines("""
        Write a product text of <n> words from the data. Mention the material, avoid superlatives.
        Create a headline and three bullet points for our shop.
    """), "n": ["40", "60", "90", "120"]}),
    ("invoice", {"order": lines("""
        Extract seller, date, total and due date as JSON. Use null where a value is missing.
        Return a CSV line with number;net;tax;gross for the document.
    """)}),
    ("candidate", {"order": lines("""
        Compare the profile with the job: <a>. List matches and gaps, give no overall score.
        Anonymise the profile: remove names, ages and places, keep skills.
    """), "a": ["warehouse lead, early shift", "office manager, part-time", "field technician"]}),
    ("ui", {"order": lines("""
        Translate the interface string to <a>. Keep placeholders and keys as they are.
        Check the string for tone and length (<n> characters at most) and suggest a better one.
    """), "a": ["Finnish", "Brazilian Portuguese", "Czech", "Vietnamese"], "n": ["30", "48", "60"]}),
    ("fridge", {"order": lines("""
        Suggest one recipe with these ingredients. Metric units, numbered steps.
        Plan a dinner from what is there; name at most <n> things to buy.
    """), "n": ["one", "two", "three"]}),
    ("comment", {"order": lines("""
        Is the comment against our rules (insult, advertising, private data)? Answer yes or no, then why.
        Classify the comment: harmless, spam, insult, off topic.
    """)}),
)  # fmt: skip

_FRAMES = lines("""
    <order>\\n\\n{}
    <order>\\n\\nText:\\n{}
    <order>\\n---\\n{}\\n---
    Input: {}\\n\\n<order>
    ### Task\\n<order>\\n### Data\\n{}
    <order> The text is between the marks.\\n<<<{}>>>
""")

_ROLES = lines("""
    You are the assistant of <company>, a <trade> in <town>. <rule> <rule>
    You help the customers of <company>. <rule> <rule> <rule>
    Act as a <trade> expert for <company>. <rule>
    Role: support agent at <company> (<trade>). <rule> <rule>
""")

_COMPANY: Rules = {
    "company": lines("""
        <left><right>
        <left> & <left>
        <left><right> <legal>
    """),
    "left": phrases("Nordlys; Pico; Amber; Brick; Calla; Velo; Tarn; Fable; Kestrel; Ondine; Rowan; Juno; Marl"),
    "right": phrases("works; mart; desk; loop; care; hub; grove; line; box; stack; yard"),
    "legal": phrases("Ltd; GmbH; Inc; BV; AS; SARL"),
    "trade": phrases(
        "furniture shop; tutoring service; travel agency; bike rental; clinic; bakery chain; energy provider; "
        "insurance broker; property manager; language school; game studio; seed catalogue"
    ),
    "town": phrases("Leeds; Ghent; Porto; Tampere; Graz; Cork; Leipzig; Nantes; Malmö; Bologna; Gdynia"),
    "rule": lines("""
        Answer in at most <few> sentences.
        Never discuss prices of competitors.
        If you are not sure, ask a question back.
        Use plain language and no emoji.
        Do not give medical or legal advice.
        Always offer to forward the case to a colleague.
        Reply in the language of the customer.
        Opening hours are <hour> to <hour_late>.
        Mention our newsletter only when asked.
    """),
    "few": ["two", "three", "four", "six"],
    "hour": ["7:30", "8:00", "9:00", "10:00"],
    "hour_late": ["17:00", "18:30", "20:00", "22:00"],
}


class Application(msgspec.Struct, frozen=True):
    """One product built on the API."""

    kind: str
    """Symbol of its records, or ``chat`` for a chat assistant."""
    system: str | None
    """Its system prompt, sent with every request."""
    frame: str
    """What surrounds a record in the user message; ``{}`` is the record."""
    domain: str
    """Domain of a chat assistant's conversations."""

    def prompt(self, dice: Dice, turn: int) -> str:
        """User message number `turn` (from 0) of one conversation."""
        if self.kind == "chat":
            return chat(self.domain).write("follow" if turn else "first", dice)
        return self.frame.replace("{}", _RECORD_GRAMMAR.write(self.kind, dice), 1)


@lru_cache(maxsize=4096)
def application(seed: int, kind: Literal["assistant", "processor", "job"]) -> Application:
    """The application of that seed.

    Args:
        kind: an ``assistant`` chats (system prompt, free user messages). A ``processor`` sends records,
            its instruction in the system prompt or around the record in the user message. A ``job`` sends
            records with the instruction in the system prompt only.
    """
    dice = Dice(seed, 0xA99)
    domain = dice.pick(sorted(DOMAINS))
    role = Grammar(_COMPANY, {"role": _ROLES}).write("role", dice)
    if kind == "assistant":
        return Application(kind="chat", system=role, frame="{}", domain=domain)
    record, rules = dice.pick(_KINDS)
    order = Grammar(rules).write("order", dice)
    if kind == "job" or dice.chance(0.5):
        return Application(kind=record, system=f"{role}\n{order}", frame="{}", domain=domain)
    frame = dice.pick(_FRAMES).replace("<order>", order)
    return Application(kind=record, system=role if dice.chance(0.5) else None, frame=frame, domain=domain)


_WRAPPERS = lines("""
    Question: {}\\nAnswer:
    {}\\n\\nGive only the final answer.
    Solve the following problem. Finish with "Result:" and the result.\\n\\n{}
    Benchmark item. Do not explain.\\n{}
""")


def problem(dice: Dice) -> str:
    """One test question with a definite answer."""
    return _RECORD_GRAMMAR.write("item", dice)


def evaluation_prompt(seed: int, dice: Dice) -> str:
    """One item of a model evaluation: a problem in the one wrapper this evaluator uses."""
    return Dice(seed, 0xE7A1).pick(_WRAPPERS).replace("{}", problem(dice), 1)
