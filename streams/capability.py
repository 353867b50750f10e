"""What a prompt asks of the model: a coarse capability class, and how hard it presses for reasoning.

General cues in a dozen languages, summed. They say what kind of work a prompt is, not who sent it, and
name no data set, product or attack pipeline. A single prompt's class is often wrong; detectors use shares
over many prompts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import sqrt

from streams.words import fold, split

CLASSES: tuple[str, ...] = ("grading", "translation", "agentic", "coding", "reasoning")
"""Classes with cues, in the order in which ties are settled. Besides them: ``chat`` and ``other``."""

_WORDS: dict[str, dict[int, str]] = {
    "grading": {
        1: "response responses answers candidate quality rank helpfulness correctness points",
        2: "rate score scores grade evaluate evaluation assess assessment criteria criterion judge verdict "
        "evalúa evalua califica puntúa évalue évaluez notez bewerte bewerten valuta avalie оцени оцените",
        3: "rubric grading grader judging impartial",
    },
    "translation": {
        1: "english french german spanish chinese japanese korean russian italian portuguese arabic hindi",
        4: "translate translation translator translating traduce traducir traducción traduire traduis "
        "traduisez traduction traduci traduzione traduza traduzir tradução übersetze übersetzen übersetzung "
        "vertaal przetłumacz çevir переведи переведите перевод перекласти dịch terjemahkan",
    },
    "agentic": {
        1: "thought arguments step call environment browser click file files",
        2: "tool tools agent observation action invoke terminal shell repository workspace filesystem "
        "subtask autonomous herramienta werkzeug outil инструмент",
    },
    "coding": {
        1: "function class api script return import int var string array loop variable table server print",
        2: "code algorithm bug json react linux git null async program método función código "
        "programa fonction funktion функция код программа programm",
        3: "python javascript typescript java html css sql c++ rust golang docker compile debug regex bash "
        "refactor unittest def const stderr stdout traceback pytorch numpy pandas kotlin swift php",
    },
    "reasoning": {
        1: "total many each sum percent half twice value logic step steps cuánto cuántos combien wieviel",
        2: "solve calculate compute puzzle probability derive deduce resuelve calcula résoudre calculer "
        "berechne löse risolvi calcola resolva calcule сколько",
        3: "prove proof equation integral theorem math maths mathematics derivative polynomial geometry "
        "demuestra démontrer beweise dimostra решите решить докажите вычислите",
    },
}

_FREQUENT = "a as by on of for in le se su tu ton tuo your you how all each every which answer show".split()
"""Words that tell too little to search a text for a phrase they are part of."""

_PHRASES: tuple[tuple[str, int, str], ...] = (
    ("grading", 4, "on a scale|which response|response a|assistant a|better response|as a judge"),
    ("grading", 3, "which answer is|out of 10|评分|打分|評価し|採点|채점|평가"),
    ("translation", 4, "翻译|翻譯|翻訳|번역|ترجم|अनुवाद|แปล|תרגם"),
    ("agentic", 4, "function_call|tool_call|action input|available tools|<tool|following tools|调用工具"),
    ("agentic", 3, '"parameters"|"arguments"|pull request|工具|ツールを|도구'),
    ("coding", 3, "#include|代码|函数|代碼|コード|関数|코드|함수|编程"),
    ("reasoning", 3, "how many|how much|\\frac|\\sum|\\int|求解|计算|證明|证明|計算|求め|계산|증명|多少"),
)

_ELICITATION: dict[float, tuple[str, ...]] = {
    0.8: (
        "chain of thought|chain-of-thought|explain your reasoning|show your reasoning|reasoning process",
        "cadena de pensamiento|chaîne de pensée|gedankenkette|cadeia de pensamento|цепочк",
        "思维链|思維鏈|思考の連鎖",
    ),
    0.7: (
        "show your work|show all work|show all steps|thought process|think aloud|think out loud|<think",
        "reasoning trace|your reasoning|your thinking|inner monologue|reason through|full reasoning",
        "tu razonamiento|su razonamiento|ton raisonnement|votre raisonnement|tuo ragionamento",
        "seu raciocínio|gedankengang|denkprozess|rechenweg|ход рассуждений|ход мыслей|ход решения",
        "思考过程|推理过程|思考過程|推理過程|解题过程|解題過程|途中式|思考プロセス",
        "사고 과정|추론 과정|풀이 과정",
    ),
    0.5: (
        "step by step|step-by-step|let's think|let us think|each step|every step|intermediate step",
        "paso a paso|étape par étape|schritt für schritt|passo dopo passo|passo a passo|stap voor stap",
        "krok po kroku|adım adım|từng bước|langkah demi langkah|steg för steg",
        "шаг за шагом|по шагам|пошагов|一步一步|一步步|逐步|ステップバイステップ|段階的|順を追って",
        "단계별|차근차근|خطوة بخطوة|चरण दर चरण|צעד אחר צעד",
    ),
    0.3: ("before answering|before giving|before you answer|think carefully|think deeply|scratchpad",),
}

_EXPOSE = (
    "show explain describe detail justify include provide write give output spell narrate document "
    "muestra explica explique montre erkläre zeige begründe spiega mostra mostre покажи объясни опиши"
)
_PROCESS = (
    "reasoning reason steps thinking thoughts rationale derivation working justification logic deduction "
    "razonamiento pasos raisonnement étapes überlegungen schritte ragionamento passaggi raciocínio passos "
    "рассуждения рассуждение шаги"
)

_EXPOSED, _PROCESSED, _TRIGGER = range(len(CLASSES), len(CLASSES) + 3)
COLUMNS = len(CLASSES) + 3
"""Length of one word's cue row: a weight per class, "expose", "process", and "a phrase may be here"."""


_CLASS_PHRASES = [
    (fold(phrase), CLASSES.index(name), weight)
    for name, weight, phrases in _PHRASES
    for phrase in phrases.split("|")
]
_ELICITATION_PHRASES = [
    (fold(phrase), weight)
    for weight, lines in _ELICITATION.items()
    for line in lines
    for phrase in line.split("|")
]
# Most phrases are of other scripts or accents, and not in a text without any: half of the time.
_CLASS_PHRASES_ASCII = [one for one in _CLASS_PHRASES if one[0].isascii()]
_ELICITATION_PHRASES_ASCII = [one for one in _ELICITATION_PHRASES if one[0].isascii()]


def word_cues() -> dict[str, list[int]]:
    """Word to its cue row."""
    table: dict[str, list[int]] = {}

    def put(words: str, column: int, weight: int) -> None:
        for word in words.split():
            table.setdefault(fold(word), [0] * COLUMNS)[column] = weight

    for position, name in enumerate(CLASSES):
        for weight, words in _WORDS[name].items():
            put(words, position, weight)
    put(_EXPOSE, _EXPOSED, 1)
    put(_PROCESS, _PROCESSED, 1)
    phrases = [split(phrase) for phrase, *_ in _CLASS_PHRASES]
    phrases += [split(phrase) for phrase, _ in _ELICITATION_PHRASES]
    uses = Counter(word for phrase in phrases for word in phrase)
    for phrase in phrases:
        # Searching every text for every phrase costs more than all the rest: one word says whether to.
        # Not so outside Latin, where phrases are often stems that take endings.
        put(max(phrase, key=lambda word: (word not in _FREQUENT, uses[word], len(word))), _TRIGGER, 1)
    return table


_CODING, _REASONING = CLASSES.index("coding"), CLASSES.index("reasoning")
_THRESHOLD = 3.0
_FREE_WORDS = 32
"""Longer texts collect cues by chance, about with the square root of their words."""


def capability(
    folded: str, foreign_chars: int, cues: Sequence[float], word_count: int, code_marks: int, numbers: int
) -> str:
    """Capability class of one prompt: one of `CLASSES`, ``chat`` or ``other`` (no words to judge by).

    Args:
        foreign_chars: how many of its characters are letters outside Latin.
        cues: summed cue rows of its distinct words.
        code_marks: brackets and operators, such as ``{ } = < >``.
        numbers: how many numbers it holds.
    """
    if word_count == 0:
        return "other"
    scores = list(cues[: len(CLASSES)])
    if cues[_TRIGGER] or foreign_chars:
        for phrase, column, weight in _CLASS_PHRASES_ASCII if folded.isascii() else _CLASS_PHRASES:
            if phrase in folded:
                scores[column] += weight
    scores[_CODING] += min(6, 40 * code_marks // (len(folded) + 40))
    if numbers > 1:
        scores[_REASONING] += min(numbers, 3)
    best = max(scores)
    if best < _THRESHOLD * max(1.0, sqrt(word_count / _FREE_WORDS)):
        return "chat"
    return CLASSES[scores.index(best)]


def reasoning_elicitation(
    folded: str, foreign_chars: int, cues: Sequence[float], word_count: int
) -> float:
    """How strongly a prompt presses for visible reasoning, 0 to 1: noisy-or of independent cues.

    >>> reasoning_elicitation("think step by step and show your work", 0, [1] * COLUMNS, 8)
    0.902
    """
    silence = 1.0
    if cues[_TRIGGER] or foreign_chars:
        for phrase, weight in _ELICITATION_PHRASES_ASCII if folded.isascii() else _ELICITATION_PHRASES:
            if phrase in folded:
                silence *= 1.0 - weight
    if cues[_EXPOSED] and cues[_PROCESSED]:
        silence *= 1.0 - 0.35 * min(1.0, 2 * _FREE_WORDS / word_count)
    return round(1.0 - silence, 3)
