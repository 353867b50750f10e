"""`WaitingEvidence`: evidence of hours that are not complete yet.

Once for each link, account and hour, however often it comes, and given out in the order of these keys. It is
part of a partition's state, so that the records it came in need not be read again.
"""

from __future__ import annotations

from schemas.evidence import HourMark, LinkEvidence, decode_evidence, encode_evidence


class WaitingEvidence:
    """Evidence by hour."""

    def __init__(self) -> None:
        self._hours: dict[int, dict[bytes, LinkEvidence]] = {}
        self._stored: set[bytes] = set()
        """What the changelog knows."""
        self._taken: set[bytes] = set()
        """What it knows and waits no more."""

    def __len__(self) -> int:
        return sum(map(len, self._hours.values()))

    def put(self, item: LinkEvidence) -> None:
        """Add, or write over."""
        self._hours.setdefault(item.account.hour, {})[_place(item)] = item

    def due(self, complete: int) -> list[int]:
        """Hours up to this one that something waits for."""
        return sorted(hour for hour in self._hours if hour <= complete)

    def take(self, hour: int) -> list[LinkEvidence]:
        """All of an hour, ordered."""
        evidence = self._hours.pop(hour)
        taken = self._stored & set(evidence)
        self._stored -= taken
        self._taken |= taken
        return [evidence[place] for place in sorted(evidence)]

    def take_changes(self) -> list[tuple[bytes, bytes | None]]:
        """Key and encoded evidence, or none, of what has changed since the last call."""
        changes: list[tuple[bytes, bytes | None]] = [(place, None) for place in sorted(self._taken)]
        for hour in sorted(self._hours):
            fresh = sorted(place for place in self._hours[hour] if place not in self._stored)
            self._stored.update(fresh)
            changes += [(place, encode_evidence(self._hours[hour][place].account)) for place in fresh]
        self._taken = set()
        return changes

    def restore(self, place: bytes, value: bytes | None) -> None:
        """Apply one change."""
        hour, kind, number = int(place[:8], 16), int(place[8:10], 16), int(place[10:26], 16)
        waiting = self._hours.setdefault(hour, {})
        waiting.pop(place, None)
        self._stored.discard(place)
        if value is not None:
            account = decode_evidence(value)
            assert not isinstance(account, HourMark), "marks do not wait"
            waiting[place] = LinkEvidence(kind, number, account)
            self._stored.add(place)
        if not waiting:
            del self._hours[hour]


def _place(item: LinkEvidence) -> bytes:
    """Hour, link, account."""
    return b"%08x%02x%016x%s" % (item.account.hour, item.kind, item.value, item.account.account_key.encode())
