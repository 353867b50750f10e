"""How much prompts look as if they were drawn from one source, and how surprising that is of an account.

`streams.detectors.shift` measures how alike an account's prompts are, how far from everybody's, and how much
they wander. `score` weighs the three, by the number of prompts; `surprise` says what a score is worth, by the
scores that honest accounts reach.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ALIKE, _FAR, WANDERING = 0.63, 3.63, 0.55
"""What people have."""
MOST_ALIKE = 0.73
"""One person in ten has more."""

_FEW, _MANY = 6.0, 100.0
_CENTER = np.array([ALIKE, _FAR, WANDERING])
_SCALE = np.array([0.09, 0.53, 0.58])
_WEIGHTS_FEW = np.array([0.65, 0.93, -1.21])
_WEIGHTS_MANY = np.array([1.40, 2.17, -1.66])
_BIAS_FEW, _BIAS_MANY = -3.1, -2.73
"""Logistic weights of (alike, far, wandering), interpolated between `_FEW` and `_MANY` prompts on a log
scale. Fitted to real conversations against four untemplated or hardly templated sources, signs constrained;
templated sources were not used, and are found all the same."""

TAIL = ((-1.0, 0.0), (2.9, 2.3), (5.0, 4.6), (6.5, 7.5), (7.5, 15.4), (14.0, 36.0))
"""Score to nats. Up to 6.5 as measured (the largest score of an account with six prompts or more in a day is
above 2.9 in one of ten, above 5 in one of a hundred). Beyond, people who fill a template of their own by hand
are counted as what they look like; of 9,440 real conversations one is."""

EASE = ((32.0, -1.1), (64.0, 0.8), (100.0, 1.8))
"""Prompts to what is added to the score before it is turned into nats. Templates filled by hand end after
one to three dozen, so that the largest scores of people are found at few prompts. At ten prompts the
largest of 9,437 real conversations are 5.6, 5.5 and 5.5, and templated pipelines have 5.8 to 6.8 in the
median: too close for ten false alerts per million account-days, however it is weighted; at seventeen they
have 7.7 to 9.3. The template repeating does not decide it either: 32 of these conversations hold ten
prompts in a row that begin or end alike, and cut out by themselves they score up to 5.6. At thirty, two
people reach 7.5: one plays an adventure game in a fixed form, one has a browser that adds a fixed text to
every prompt. Later people wander, and no score of theirs stays high: among 600 accounts of one to twenty
real conversations the largest is 3.9 from 48 prompts on, 2.7 from 64, 2.3 from 80 and below 0 from 100."""

_PROMPTS, _EASE = np.array(EASE).T
_LEVELS, _NATS = np.array(TAIL).T


def score(measured: Floats, n: Floats) -> Floats:
    """Score, (m,).

    Args:
        measured: (alike, far, wandering), (m, 3).
        n: effective number of prompts, (m,).
    """
    z = (measured - _CENTER) / _SCALE
    along = np.clip(np.log(n / _FEW) / np.log(_MANY / _FEW), 0.0, 1.0)
    few, many = _BIAS_FEW + z @ _WEIGHTS_FEW, _BIAS_MANY + z @ _WEIGHTS_MANY
    result: Floats = (1 - along) * few + along * many
    return result


def surprise(score: Floats, n: Floats) -> Floats:
    """Nats that scores (m,) from n prompts each are worth, (m,).

    >>> surprise(np.full(3, 6.0), np.array([20.0, 64.0, 100.0])).round(1).tolist()
    [4.5, 9.9, 16.4]
    """
    ease = np.interp(np.log(n), np.log(_PROMPTS), _EASE)
    result: Floats = np.interp(score + ease, _LEVELS, _NATS)
    return result
