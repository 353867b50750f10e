"""`LinkPlane`: the accounts behind each link of one partition, judged as groups at the end of every hour.

Pure and deterministic: evidence waits until its hour is complete in all partitions of the requests topic
(`HourMark`) and is then applied in the order of its keys, so neither the order nor the repetition of what
arrives matters. Evidence of hours that are closed already is ignored; the account's next summary, being
absolute, brings it all.

State grows with links and accounts, not with requests: a link with fewer than three accounts keeps their
hashes and nothing else; others sample at most 64. Links beyond the cap are evicted, longest idle first,
and counted.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from schemas.errors import IncompatibleState
from schemas.evidence import (
    NO_MORE,
    GroupReport,
    HourMark,
    LinkEvidence,
    LinkKind,
    Member,
    decode_evidence,
    encode_evidence,
)
from streams.batch import hash64
from streams.config import DetectionConfig
from streams.group_statistics import SIZE_EXPONENTS, Verdict, judge
from streams.link_sample import LinkSample
from streams.meeting_place import MeetingPlace
from streams.membership import heading, log_odds
from streams.reference import SAMPLE, Reference, reference
from streams.summary_table import BLANK_HOUR, Rows, SummaryTable

NEVER = -(2**31)
FEWEST_SHARING = 3
"""Accounts from which on a link keeps more than their hashes."""
FORGET_HOURS = 7 * 24
DAY_HOURS = 24
EVICTION_SHARE = 0.02
WATCHED_SHARE = 0.5
"""Share of a link's sample in the core from which on all accounts behind it are followed."""
EXPONENT_HOURS = 6
FEWEST_LINKS = 30
"""Live links of a kind before their sizes may soften its prior."""


class LinkOutput(msgspec.Struct):
    """What a step gives out."""

    reports: list[GroupReport] = []
    complete_hour: int = NEVER
    """Reports of hours up to this one are complete with this output."""


class PartitionRecord(msgspec.Struct, array_like=True):
    """What the links of a partition share, as stored."""

    parameters: str
    closed_hour: int
    marks: dict[int, int]
    reference: Reference
    exponents: dict[int, float]
    population: list[int]
    counters: list[int]


class LinkPlane:
    """Links of one partition of the evidence topic.

    Args:
        config: parameters.
        partition: its number.
        sources: partitions of the requests topic; an hour closes when each of them has marked it.
    """

    def __init__(self, config: DetectionConfig, partition: int = 0, sources: int = 1) -> None:
        self.config = config
        self.partition = partition
        self.table = SummaryTable()
        self.links: dict[int, LinkSample] = {}
        self.places: dict[str, MeetingPlace] = {}
        self.marks: dict[int, int] = dict.fromkeys(range(sources), NEVER)
        self.closed_hour = NEVER
        self.pending: dict[int, dict[bytes, LinkEvidence]] = {}
        """Hour to its evidence, by link and account."""
        self.reference = Reference()
        self.exponents: dict[int, float] = {int(kind): value for kind, value in SIZE_EXPONENTS.items()}
        self.population: list[int] = []
        """The `SAMPLE` smallest hashes of accounts seen here; their rows are held."""
        self.applied = self.late = self.evicted = self.judged = 0
        self._strange: set[int] = set()
        """Accounts that are no part of what is ordinary; as of the last hour."""
        self._unsettled = False
        self._dirty: set[int] = set()
        self._gone: set[int] = set()
        self._stored: set[bytes] = set()
        """Pending evidence that the changelog knows."""
        self._settled: set[bytes] = set()
        """Evidence that it knows and that is pending no more."""

    # ---- evidence

    def process(self, items: Iterable[LinkEvidence | HourMark]) -> LinkOutput:
        """Take evidence and marks in any order; judge the hours that are complete."""
        self._settle()
        for item in items:
            if isinstance(item, HourMark):
                # silence may end; an hour, once marked, stays so
                known = self.marks.get(item.source, NEVER)
                self.marks[item.source] = item.hour if known == NO_MORE else max(known, item.hour)
            elif item.account.hour <= self.closed_hour:
                self.late += 1
            else:
                waiting = self.pending.setdefault(item.account.hour, {})
                waiting[_place(item)] = item
        output = LinkOutput()
        complete = min(self.marks.values())
        for hour in sorted(hour for hour in self.pending if hour <= complete):
            self._close_hour(hour, output)
        output.complete_hour = complete
        return output

    def _close_hour(self, hour: int, output: LinkOutput) -> None:
        evidence = self.pending.pop(hour)
        self.closed_hour = hour
        self._settled |= self._stored & set(evidence)
        self._stored -= self._settled
        touched: dict[int, set[int]] = {}
        met: dict[str, list[int]] = {}
        for key in sorted(evidence):
            self._apply(evidence[key], touched, met)
        for link in sorted(touched):
            self._judge_link(link, touched[link], hour, output)
        for tenant_id in sorted(met):
            self._judge_place(tenant_id, met[tenant_id], hour, output)
        self._forget(hour)
        self._note_strange()
        self._learn(hour)

    def _apply(self, item: LinkEvidence, touched: dict[int, set[int]], met: dict[str, list[int]]) -> None:
        self.applied += 1
        account, slot = self.table.put(item.account)
        self._sample(account, slot)
        if item.kind == LinkKind.BEHAVIOUR:
            if not self.table.rows["met"][slot]:
                self.table.rows["met"][slot] = True
                self.table.hold(slot)
            met.setdefault(item.account.tenant_id, []).append(slot)
            return
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
        touched.setdefault(number, set()).add(account)
        self.table.drop_unheld(slot)

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

    # ---- judging

    def _judge_link(self, number: int, active: set[int], hour: int, output: LinkOutput) -> None:
        link = self.links.get(number)
        if link is None or not link.holding:
            return
        rows = self._rows(link.accounts)
        rows = rows[rows["hour"] > hour - DAY_HOURS]
        owners = link.size * len(np.unique(rows["owner"])) / max(len(rows), 1)
        exponent = self.exponents.get(link.kind, 0.0)
        verdict = judge(rows, self.reference, hour, kind=link.kind, owners=owners, exponent=exponent)
        if verdict is None:
            return
        self.judged += 1
        if verdict.suspicious:
            told = set(link.all_accounts)
            everybody = self._rows(sorted(told & active if link.watched else told))
            everybody = everybody[everybody["hour"] > BLANK_HOUR]
            # a hub is not watched: that its sample holds a core says little about the rest behind it
            link.watched |= bool(verdict.core.mean() >= WATCHED_SHARE)
            output.reports.append(self._report(link, verdict, rows, everybody, hour, owners))

    def _judge_place(self, tenant_id: str, slots: list[int], hour: int, output: LinkOutput) -> None:
        place = self.places.get(tenant_id)
        if place is None:
            place = self.places[tenant_id] = MeetingPlace(tenant_id)
        for group in place.close_hour(hour, self.table, np.array(sorted(set(slots)), np.intp)):
            core = self._rows([one for one in sorted(group.core) if one in self.table.slots])
            core = core[core["hour"] > hour - DAY_HOURS]
            verdict = judge(
                core,
                self.reference,
                hour,
                kind=LinkKind.BEHAVIOUR,
                owners=len(core),
                exponent=0.0,
                alike_nats=group.nats,
            )
            if verdict is None:
                continue
            self.judged += 1
            if verdict.suspicious:
                members = group.core | group.fringe
                everybody = self._rows([one for one in sorted(members) if one in self.table.slots])
                link = LinkSample(tenant_id, LinkKind.BEHAVIOUR, group.value)
                output.reports.append(self._report(link, verdict, core, everybody, hour, len(members)))

    def _report(
        self, link: LinkSample, verdict: Verdict, rows: Rows, everybody: Rows, hour: int, owners: float
    ) -> GroupReport:
        core = rows[verdict.core]
        outside = self._rows([one for one in self.population if one not in self._strange])
        share = len(core) / len(rows)
        # in a meeting place all are core, which says nothing about who comes near later
        prior = 0.0 if link.kind == LinkKind.BEHAVIOUR else float(np.log(share / max(1 - share, 0.02)))
        odds = log_odds(everybody, core, outside, prior, verdict.measures, self.reference, hour)
        keys = [self.table.keys[self.table.slots[int(account)]] for account in everybody["account"]]
        members = tuple(
            Member(
                account_id=key.partition(":")[2],
                log_odds=round(float(value), 3),
                requests=int(row["requests"]),
                completed=int(row["completed"]),
                first_hour=int(row["first_hour"]),
                last_hour=int(row["hour"]),
            )
            for key, value, row in zip(keys, odds.tolist(), everybody, strict=True)
        )
        return GroupReport(
            tenant_id=link.tenant_id,
            kind=link.kind,
            value=link.value,
            hour=hour,
            nats=verdict.nats,
            measures=verdict.measures,
            owners=round(owners),
            centre=np.rint(127 * heading(core, self.reference)).astype(np.int8).tobytes(),
            members=members,
        )

    def _rows(self, accounts: Sequence[int]) -> Rows:
        slots = [self.table.slots[account] for account in accounts]
        rows: Rows = self.table.rows[np.array(slots, np.intp)]
        return rows

    # ---- learning and forgetting

    def _learn(self, hour: int) -> None:
        """What is ordinary, for the judgements of the next hours."""
        ordinary = [one for one in self.population if one not in self._strange]
        self.reference = reference(self._rows(ordinary), hour)
        if hour % EXPONENT_HOURS == 0:
            self._learn_exponents()

    def _note_strange(self) -> None:
        """Accounts of watched groups and of candidates."""
        self._strange = set()
        for link in self.links.values():
            if link.watched:
                self._strange.update(link.all_accounts)
        for place in self.places.values():
            for group in place.groups.values():
                self._strange |= group.core

    def _learn_exponents(self) -> None:
        """Hill's estimate of the tail of owners per link, where it is heavier than the prior."""
        logs: dict[int, list[float]] = {}
        for link in self.links.values():
            if link.kind in SIZE_EXPONENTS and link.holding and not link.watched:
                owners = len(np.unique(self._rows(link.accounts)["owner"]))
                if owners >= FEWEST_SHARING:
                    all_owners = owners * link.size / len(link.accounts)
                    logs.setdefault(link.kind, []).append(float(np.log(all_owners / (FEWEST_SHARING - 0.5))))
        for kind, values in logs.items():
            if len(values) >= FEWEST_LINKS:
                tail = len(values) / max(sum(values), 1e-9)
                self.exponents[kind] = min(SIZE_EXPONENTS[LinkKind(kind)], tail)

    def _forget(self, hour: int) -> None:
        """Once a day: links and accounts idle for a week."""
        if hour % DAY_HOURS:
            return
        for number in [one for one, link in self.links.items() if link.last_hour < hour - FORGET_HOURS]:
            self._drop_link(number)
        oldest = hour - FORGET_HOURS
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

    def take_changes(self) -> list[tuple[bytes, bytes | None]]:
        """Changelog records since the last call, the partition's own record last. What is pending is among
        them, so that the records it came in need not be read again."""
        records: list[tuple[bytes, bytes | None]] = []
        records += [(b"a%016x" % account, data) for account, data in self.table.take_changes()]
        records += [(b"l%016x" % number, None) for number in sorted(self._gone)]
        encode = msgspec.msgpack.encode
        records += [(b"l%016x" % number, encode(self.links[number])) for number in sorted(self._dirty)]
        self._dirty, self._gone = set(), set()
        for tenant_id in sorted(self.places):
            for (place, value), data in self.places[tenant_id].take_changes():
                records.append((b"m%02x%016x%s" % (place, value, tenant_id.encode()), data))
        records += [(b"e" + place, None) for place in sorted(self._settled)]
        for hour in sorted(self.pending):
            fresh = sorted(place for place in self.pending[hour] if place not in self._stored)
            self._stored.update(fresh)
            records += [(b"e" + place, encode_evidence(self.pending[hour][place].account)) for place in fresh]
        self._settled = set()
        state = PartitionRecord(
            parameters=self.config.parameter_hash(),
            closed_hour=self.closed_hour,
            marks=self.marks,
            reference=self.reference,
            exponents=self.exponents,
            population=self.population,
            counters=[self.applied, self.late, self.evicted, self.judged],
        )
        records.append((b"p%d" % self.partition, encode(state)))
        return records

    def restore(self, records: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Apply changelog records, oldest first. May be called with one stretch after another.

        Raises:
            IncompatibleState: the state was written with other parameters.
        """
        places: dict[str, dict[tuple[int, int], bytes | None]] = {}
        for key, value in records:
            kind, rest = key[:1], key[1:]
            if kind == b"a":
                self.table.restore(int(rest, 16), value)
            elif kind == b"l":
                if value is None:
                    self.links.pop(int(rest, 16), None)
                else:
                    self.links[int(rest, 16)] = msgspec.msgpack.decode(value, type=LinkSample)
            elif kind == b"m":
                places.setdefault(rest[18:].decode(), {})[int(rest[:2], 16), int(rest[2:18], 16)] = value
            elif kind == b"e":
                self._restore_pending(rest, value)
            elif value is not None:
                self._restore_partition(msgspec.msgpack.decode(value, type=PartitionRecord))
        for tenant_id, changes in places.items():
            self.places.setdefault(tenant_id, MeetingPlace(tenant_id)).restore(changes)
        self._stored = {place for hour in self.pending.values() for place in hour}
        self._unsettled = True

    def _restore_pending(self, place: bytes, value: bytes | None) -> None:
        hour, kind, number = int(place[:8], 16), int(place[8:10], 16), int(place[10:26], 16)
        if value is None:
            self.pending.get(hour, {}).pop(place, None)
            return
        account = decode_evidence(value)
        if not isinstance(account, HourMark):
            self.pending.setdefault(hour, {})[place] = LinkEvidence(kind, number, account)

    def _restore_partition(self, state: PartitionRecord) -> None:
        if state.parameters != self.config.parameter_hash():
            raise IncompatibleState("the links were stored with other [detection] settings")
        self.closed_hour, self.marks, self.reference = state.closed_hour, state.marks, state.reference
        self.exponents, self.population = state.exponents, state.population
        self.applied, self.late, self.evicted, self.judged = state.counters

    def _settle(self) -> None:
        """Once, after any number of stretches: what is derived from restored records."""
        if not self._unsettled:
            return
        self._unsettled = False
        table = self.table
        table.holders = table.rows["met"][: len(table.keys)].astype(int).tolist()
        for account in self.population:
            table.hold(table.of(account))
        for link in self.links.values():
            if link.holding:
                for account in link.all_accounts:
                    table.hold(table.of(account))
        self._note_strange()

    def stats(self) -> dict[str, int]:
        """Counters for operators."""
        return {
            "links": len(self.links),
            "shared_links": sum(link.holding for link in self.links.values()),
            "watched_links": sum(link.watched for link in self.links.values()),
            "accounts": len(self.table),
            "candidates": sum(len(place.groups) for place in self.places.values()),
            "evidence": self.applied,
            "late_evidence": self.late,
            "pending": sum(len(hour) for hour in self.pending.values()),
            "evicted_links": self.evicted,
            "judged_groups": self.judged,
        }


def _place(item: LinkEvidence) -> bytes:
    """Key of pending evidence: hour, link, account."""
    return b"%08x%02x%016x%s" % (item.account.hour, item.kind, item.value, item.account.account_key.encode())
