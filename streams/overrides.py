"""`Overrides`: tenants, plans and accounts that operators grant another alert budget than the fleet's.

As with `streams.verdicts`, no state of a partition: every worker reads them from the control topic, and an
override counts for the scores that are made while it is known. It moves an account's threshold only; nothing
that is learned or shared changes.
"""

from __future__ import annotations

from math import inf, log

from schemas.control import Override
from schemas.event import RequestEvent


class Overrides:
    """Overrides in force, by id. Where several match, their factors multiply, so their order is of no matter.

    >>> from datetime import UTC, datetime
    >>> event = RequestEvent(schema_version=1, event_id="e", time=datetime(2026, 1, 1, tzinfo=UTC),
    ...                      account_id="a", account_plan="trial")
    >>> known = Overrides()
    >>> known.take(Override(id="trials", account_plan="trial", budget_factor=10.0))
    >>> known.take(Override(id="vip", subject_id="b", budget_factor=0.1))
    >>> round(known.extra_nats(event), 2), round(known.least_nats, 2)
    (-2.3, -2.3)
    """

    def __init__(self) -> None:
        self._known: dict[str, Override] = {}
        self.least_nats = 0.0
        """A bound on what `extra_nats` can give, at most 0."""

    def take(self, override: Override) -> None:
        """Put one in force; one with the same id is replaced."""
        self._known[override.id] = override
        self._bound()

    def withdraw(self, id: str) -> None:
        """Forget one, if it is known."""
        if self._known.pop(id, None) is not None:
            self._bound()

    def _bound(self) -> None:
        generous = [one.budget_factor for one in self._known.values() if one.budget_factor > 1]
        self.least_nats = -sum(map(log, generous))

    def extra_nats(self, event: RequestEvent) -> float:
        """How much more surprising than the fleet's threshold the account of an event must be."""
        return sum(
            -log(one.budget_factor) if one.budget_factor else inf
            for one in self._known.values()
            if _matches(one, event)
        )


def _matches(override: Override, event: RequestEvent) -> bool:
    return (
        override.tenant_id in (None, event.tenant_id)
        and override.account_plan in (None, event.account_plan)
        and override.subject_id in (None, event.account_id)
    )
