"""The alert budget: how improbable an account must be before anybody is told, and how urgent it then is.

Set as *allowed false alerts per million accounts and day*. That is a per-family error rate (the expected
number of false alerts), so its level is spent evenly over account-days: each may be alerted on by chance with
probability ``rate / 1e6``, whatever the dependence between accounts. Within a day an account is looked at
about 50 times; detectors whose score can rise by chance at any look pay for it with `LOOKS_NATS`, the others
state their chance for a whole day.

Procedures that control the false discovery *rate* over a stream (LORD, SAFFRON) allow more false alerts while
true ones abound. An attacker can make them abound, and analysts count alerts, not shares: so none is used,
and the number of alerts of one day never lowers or raises the bar of another.

Sources: per-family error rate: E. Spjøtvoll, Annals of Mathematical Statistics 43 (1972); spending over
looks: K. Lan, D. DeMets, Biometrika 70 (1983); LORD: A. Javanmard, A. Montanari, Annals of Statistics 46
(2018); SAFFRON: A. Ramdas et al., ICML 2018.
"""

from __future__ import annotations

import numpy as np

from schemas.finding import Action, Severity

LARGE_LEAK = 1_000
HUGE_LEAK = 10_000
"""Answers: at these a finding is high, and critical. One per cent of the smallest reported campaign
(150,000 exchanges) is 1,500."""

CLEAR_NATS = float(np.log(1e8))
"""A p-value below 1e-8 is high severity by itself."""

ACTIONS = {
    Severity.MEDIUM: Action.REVIEW,
    Severity.HIGH: Action.THROTTLE,
    Severity.CRITICAL: Action.SUSPEND,
}


def threshold_nats(alerts_per_million_account_days: float) -> float:
    """Surprise an account must reach.

    >>> round(threshold_nats(10), 2)
    11.51
    """
    return float(np.log(1e6 / alerts_per_million_account_days))


def severity(nats: float, answers: int) -> Severity:
    """Urgency, from how improbable the account is and how many answers it has got.

    >>> severity(12.0, 20).value, severity(12.0, 1500).value, severity(40.0, 50_000).value
    ('medium', 'high', 'critical')
    """
    if answers >= HUGE_LEAK and nats >= CLEAR_NATS:
        return Severity.CRITICAL
    if answers >= LARGE_LEAK or nats >= CLEAR_NATS:
        return Severity.HIGH
    return Severity.MEDIUM
