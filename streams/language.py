"""Language guess for one text: script first, function words where many languages share a script.

Coarse and cheap on purpose: it feeds per-language baselines and the analyst's view, no decision rests on
it alone. Codes are ISO 639-1; `None` where nothing speaks for any language (code, numbers, two words).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

FUNCTION_WORDS: dict[str, str] = {
    "en": "the of and to is in that it for you what how are with this can my be on i an from write which",
    "es": "el los las del que en una un por con para es cómo qué se lo su y más cuál escribe como",
    "fr": "le les des du une est et dans pour que qui avec sur vous je ce pas au quel comment écris",
    "de": "der die das und ist ein eine zu den mit für auf nicht wie was ich von im sie auch bitte schreibe",
    "it": "il gli che di un una per con è del della sono come cosa non si le nel più scrivi",
    "pt": "o os as um uma de do da que em para com é não por como você são mais no na escreva",
    "nl": "de het een van en is dat op te zijn met voor niet hoe wat ik je maar ook schrijf",
    "pl": "i w na z się nie do jest że jak co to dla czy po przez oraz napisz",
    "tr": "bir ve bu için ile ne nasıl de da mi olarak daha gibi çok en yaz",
    "vi": "là của và có cho một những các được không trong tôi với này như hãy",
    "id": "yang dan di untuk dengan ini itu dari adalah pada apa saya bagaimana tidak buatlah",
    "sv": "och att det är en som på av för med den inte jag hur vad till skriv",
    "cs": "je na že jak pro co ale jsem nebo jako napiš které jsou není ve aby",
    "ro": "și în de la cu un o pe este care pentru ce din nu mai cum scrie",
    "ru": "и в на не что с как это по для из я к у но или от напиши мне ты",
    "uk": "і в на не що з як це до для та я у але або від напиши мені ти є",
    "bg": "и в на не че с как това за от да се е са или но ще напиши",
}
LANGUAGES: tuple[str, ...] = tuple(FUNCTION_WORDS)

_SCRIPTS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (language, re.compile(f"[{characters}]"))
    for language, characters in (
        ("ja", "\u3041-\u30ff"),
        ("ko", "\uac00-\ud7a3\u1100-\u11ff"),
        ("zh", "\u3400-\u4dbf\u4e00-\u9fff"),
        ("fa", "\u067e\u0686\u0698\u06af\u06cc"),
        ("ar", "\u0600-\u06ff"),
        ("he", "\u0590-\u05ff"),
        ("el", "\u0370-\u03ff"),
        ("th", "\u0e00-\u0e7f"),
        ("hi", "\u0900-\u097f"),
        ("bn", "\u0980-\u09ff"),
        ("ta", "\u0b80-\u0bff"),
        ("ka", "\u10a0-\u10ff"),
        ("hy", "\u0530-\u058f"),
    )
)
_MANY_WORDS = 96
"""A long text has no more function words than this many words have: there are only so many."""
_SHARE = 8
"""A script counts from one character in this many: a quoted foreign word does not."""


def votes() -> dict[str, list[int]]:
    """Function word to its vote per language, in the order of `LANGUAGES`."""
    table: dict[str, list[int]] = {}
    for position, language in enumerate(LANGUAGES):
        for word in FUNCTION_WORDS[language].split():
            table.setdefault(word, [0] * len(LANGUAGES))[position] = 1
    return table


def guess(folded: str, foreign_chars: int, word_votes: Sequence[float], word_count: int) -> str | None:
    """Language of a folded text.

    Args:
        foreign_chars: how many of its characters are letters outside Latin.
        word_votes: summed `votes` of its distinct words.
        word_count: how many distinct words it has.

    >>> guess("今日はどうですか", 8, [0] * len(LANGUAGES), 8)
    'ja'
    """
    if foreign_chars * _SHARE >= len(folded) > 0:
        for language, script in _SCRIPTS:
            # Kana decides for Japanese however few: a Chinese text has none.
            if len(script.findall(folded)) * _SHARE >= len(folded):
                return language
    best = max(word_votes)
    if best < min(2, word_count / 3) or best * 12 < min(word_count, _MANY_WORDS):
        return None
    return LANGUAGES[word_votes.index(best)]
