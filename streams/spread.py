"""`spread`: which links an account's summary goes to: those it names, and those that follow from it.

*Sign-up*: accounts made in the same hours, while they are new. *Hours of rest*: accounts that pause at the
same time of the day for as long; twins that share nothing else meet there, and those that never rest in the
meeting place. Both are hubs, as an autonomous system is: a group behind one is judged by what its largest
part that writes alike does.
"""

from __future__ import annotations

from schemas.evidence import HOURS_TOLD, AccountEvidence, LinkEvidence, LinkKind

SIGNUP_H, SIGNUP_TOLD_H = 6, 14 * 24
"""Width of a sign-up cohort; for so long after its making an account is told of to its own."""
REST_H = 2
"""Beginning and length of a rest are told to so many hours."""
SHORTEST_REST_H = 4
"""Who sends 25 requests a day evenly at random pauses for so long every other day, for longer seldom."""
REST_REQUESTS = 12
"""Of the last day; below, hours without requests say little."""


def spread(account: AccountEvidence) -> list[LinkEvidence]:
    """The same summary for each of the account's links, the meeting place of its tenant included."""
    links = [LinkEvidence(kind, value, account) for kind, value in account.links]
    if account.hour - account.created_hour <= SIGNUP_TOLD_H:
        links.append(LinkEvidence(LinkKind.SIGNUP, account.created_hour // SIGNUP_H, account))
    rest = rest_of(account)
    if rest is not None:
        links.append(LinkEvidence(LinkKind.SCHEDULE, rest, account))
    return [*links, LinkEvidence(LinkKind.BEHAVIOUR, 0, account)] if account.mean else links


def rest_of(account: AccountEvidence) -> int | None:
    """Code of the longest pause in the last day: 100 times its beginning by the clock (24 for midnight), plus
    its length, in hours. `None` for who does not rest, or whose day is not known, or too empty to tell.

    >>> from msgspec.structs import replace
    >>> never = AccountEvidence("t", "a", 47, (), 0, 0, b"", 200, 200, bytes([2] * 24), 0, 0, 0)
    >>> rest_of(never), rest_of(replace(never, hourly=bytes([0] * 7 + [2] * 15 + [0] * 2)))
    (None, 2208)
    >>> rest_of(replace(never, first_hour=30)), rest_of(replace(never, hourly=bytes([9] + [0] * 23)))
    (None, None)
    """
    hourly = account.hourly
    if account.hour - account.first_hour < HOURS_TOLD or sum(hourly) < REST_REQUESTS:
        return None
    longest, begins, run = 0, 0, 0
    for place, count in enumerate(hourly + hourly):  # a rest may lie on both sides of now
        run = 0 if count else run + 1
        if run > longest:
            longest, begins = run, place - run + 1
    if longest < SHORTEST_REST_H:
        return None
    clock = (account.hour + 1 + begins) % HOURS_TOLD // REST_H * REST_H
    return 100 * (clock or HOURS_TOLD) + longest // REST_H * REST_H
