"""`LinkStore`: which accounts are behind which links of one partition, and what of it the changelog knows.

State grows with links and accounts, not with requests: a link with fewer than three accounts keeps their
hashes and nothing else; others sample at most 64. Links beyond the cap are evicted, longest idle first, and
counted; what has been idle for a week is forgotten.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence

import msgspec
import numpy as np

from schemas.evidence import LinkEvidence
from streams.config import DetectionConfig
from streams.hashing import hash64
from streams.link_sample import LinkSample
from streams.meeting_place import MeetingPlace
from streams.reference import SAMPLE
from streams.summary_table import Rows, SummaryTable

FEWEST_SHARING = 3
"""Accounts from which on a link keeps more than their hashes."""
FORGET_HOURS = 7 * 24
EVICTION_SHARE = 0.02

Change = tuple[bytes, bytes | None]


class LinkStore:
    """Links, the summaries they need, and meeting places.

    Args:
        config: parameters.
    """

    def __init__(self, config: DetectionConfig) -> None:
        self.config = config
        self.table = SummaryTable()
        self.links: dict[int, LinkSample] = {}
        self.places: dict[str, MeetingPlace] = {}
        """By tenant."""
        self.population: list[int] = []
        """The `SAMPLE` smallest hashes of accounts seen here; their rows are held."""
        self.evicted = 0
        self._unsettled = False
        self._dirty: set[int] = set()
        self._gone: set[int] = set()

    def rows(self, accounts: Sequence[int]) -> Rows:
        """Summaries of accounts, all of which are held."""
        slots = [self.table.slots[account] for account in accounts]
        rows: Rows = self.table.rows[np.array(slots, np.intp)]
        return rows

    # ---- evidence

    def meet(self, item: LinkEvidence) -> int:
        """Take evidence for a meeting place; returns the account's row."""
        account, slot = self.table.put(item.account)
        self._sample(account, slot)
        if not self.table.rows["met"][slot]:
            self.table.rows["met"][slot] = True
            self.table.hold(slot)
        return slot

    def add(self, item: LinkEvidence) -> tuple[int, int]:
        """Take evidence for any other link; returns its number and the account's hash."""
        account, slot = self.table.put(item.account)
        self._sample(account, slot)
        number = hash64(f"{item.account.tenant_id}\x1f{item.kind}\x1f{item.value}")
        link = self.links.get(number) or self._new_link(number, item)
        link.last_hour = item.account.hour
        if link.add(account) and link.holding:
            self.table.hold(slot)
        pushed = link.overflow()
        if pushed is not None:
            self.table.release(self.table.slots[pushed])
        if not link.holding and len(link.accounts) >= FEWEST_SHARING:
            link.holding = True
            for one in link.accounts:
                self.table.hold(self.table.of(one))
        self._dirty.add(number)
        self.table.drop_unheld(slot)
        return number, account

    def place(self, tenant_id: str) -> MeetingPlace:
        """The meeting place of a tenant, made when first asked for."""
        place = self.places.get(tenant_id)
        if place is None:
            place = self.places[tenant_id] = MeetingPlace(tenant_id)
        return place

    def _new_link(self, number: int, item: LinkEvidence) -> LinkSample:
        limit = self.config.max_links_per_partition
        if len(self.links) >= limit:
            idle = sorted(self.links, key=lambda one: (self.links[one].last_hour, one))
            for old in idle[: max(int(limit * EVICTION_SHARE), 1)]:
                self._drop_link(old)
                self.evicted += 1
        link = self.links[number] = LinkSample(item.account.tenant_id, item.kind, item.value)
        self._gone.discard(number)
        return link

    def _drop_link(self, number: int) -> None:
        link = self.links.pop(number)
        if link.holding:
            for account in link.all_accounts:
                self.table.release(self.table.slots[account])
        self._dirty.discard(number)
        self._gone.add(number)

    def _sample(self, account: int, slot: int) -> None:
        """Keep a uniform sample of all accounts seen here."""
        population = self.population
        if len(population) >= SAMPLE and account >= population[-1]:
            return
        place = bisect_left(population, account)
        if place < len(population) and population[place] == account:
            return
        population.insert(place, account)
        self.table.hold(slot)
        if len(population) > SAMPLE:
            self.table.release(self.table.slots[population.pop()])

    # ---- forgetting

    def forget(self, oldest: int) -> None:
        """Drop links and accounts without evidence since the hour `oldest`."""
        for number in [one for one, link in self.links.items() if link.last_hour < oldest]:
            self._drop_link(number)
        for number, link in self.links.items():
            if link.holding:
                for account in [one for one in link.all_accounts if self._idle(one, oldest)]:
                    link.drop(account)
                    self.table.release(self.table.slots[account])
                    self._dirty.add(number)
        for account in [one for one in self.population if self._idle(one, oldest)]:
            self.population.remove(account)
            self.table.release(self.table.slots[account])
        for slot in np.flatnonzero(self.table.rows["met"] & (self.table.rows["hour"] < oldest)).tolist():
            self.table.rows["met"][slot] = False
            self.table.note([slot])
            self.table.release(slot)

    def _idle(self, account: int, oldest: int) -> bool:
        return int(self.table.rows["hour"][self.table.slots[account]]) < oldest

    # ---- state

    def _link_changes(self) -> list[Change]:
        """Changelog records since the last call: accounts, links, meeting places."""
        records: list[Change] = [(b"a%016x" % account, data) for account, data in self.table.take_changes()]
        records += [(b"l%016x" % number, None) for number in sorted(self._gone)]
        encode = msgspec.msgpack.encode
        records += [(b"l%016x" % number, encode(self.links[number])) for number in sorted(self._dirty)]
        self._dirty, self._gone = set(), set()
        for tenant_id in sorted(self.places):
            for (place, value), data in self.places[tenant_id].take_changes():
                records.append((b"m%02x%016x%s" % (place, value, tenant_id.encode()), data))
        return records

    def _restore_links(self, records: Sequence[Change]) -> None:
        """Apply what `_link_changes` gave."""
        places: dict[str, dict[tuple[int, int], bytes | None]] = {}
        for key, value in records:
            kind, rest = key[:1], key[1:]
            if kind == b"a":
                self.table.restore(int(rest, 16), value)
            elif kind == b"m":
                places.setdefault(rest[18:].decode(), {})[int(rest[:2], 16), int(rest[2:18], 16)] = value
            elif value is None:
                self.links.pop(int(rest, 16), None)
            else:
                self.links[int(rest, 16)] = msgspec.msgpack.decode(value, type=LinkSample)
        for tenant_id, changes in places.items():
            self.place(tenant_id).restore(changes)
        self._unsettled = True

    def _settle(self) -> bool:
        """Once, after any number of stretches: count anew who holds which row. True if there was a need."""
        if not self._unsettled:
            return False
        self._unsettled = False
        table = self.table
        table.holders = table.rows["met"][: len(table.keys)].astype(int).tolist()
        for account in self.population:
            table.hold(table.of(account))
        for link in self.links.values():
            if link.holding:
                for account in link.all_accounts:
                    table.hold(table.of(account))
        return True

    def strange(self) -> set[int]:
        """Accounts of watched groups and of candidates."""
        strange: set[int] = set()
        for link in self.links.values():
            if link.watched:
                strange.update(link.all_accounts)
        for place in self.places.values():
            for group in place.groups.values():
                strange |= group.core
        return strange

    def log_sizes(self, kinds: Collection[int]) -> dict[int, list[float]]:
        """Kind of links to log owners over `FEWEST_SHARING` of each that more share and none watches."""
        logs: dict[int, list[float]] = {}
        for link in self.links.values():
            if link.kind in kinds and link.holding and not link.watched:
                owners = len(np.unique(self.rows(link.accounts)["owner"]))
                if owners >= FEWEST_SHARING:
                    all_owners = owners * link.size / len(link.accounts)
                    logs.setdefault(link.kind, []).append(float(np.log(all_owners / (FEWEST_SHARING - 0.5))))
        return logs
