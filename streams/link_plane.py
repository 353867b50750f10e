"""`LinkPlane`: the accounts behind each link of one partition, judged as groups at the end of every hour.

Pure and deterministic: evidence waits until its hour is complete in all partitions of the requests topic
(`HourMark`) and is then applied in the order of its keys, so neither the order nor the repetition of what
arrives matters. Evidence of hours that are closed already is ignored; the account's next summary, being
absolute, brings it all.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import fsum

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.errors import IncompatibleState
from schemas.evidence import GroupReport, HourMark, LinkEvidence, LinkKind
from streams.config import DetectionConfig
from streams.group_report import Told, group_report
from streams.group_statistics import FEWEST_MEMBERS, SIZE_EXPONENTS, Verdict, judge
from streams.hour_marks import NEVER, HourMarks
from streams.link_sample import LinkSample
from streams.link_store import FORGET_HOURS, Change, LinkStore
from streams.meeting_place import MeetingPlace, sleepless
from streams.neighbourhoods import SEED_NATS
from streams.reference import Reference, reference
from streams.summary_table import BLANK_HOUR, Rows
from streams.waiting_evidence import WaitingEvidence

DAY_HOURS = 24
WATCHED_SHARE = 0.5
"""Share of a link's sample in the core from which on all accounts behind it are followed."""
EXPONENT_HOURS, EXPONENT_DELAY_H = 6, 48
"""How often it is learned how many accounts links have, and when that is used: the links of a campaign that
begins are many and large, and would excuse themselves until they are watched."""
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
    learned: dict[int, dict[int, float]] = {}


class LinkPlane(LinkStore):
    """Links of one partition of the evidence topic.

    Args:
        config: parameters.
        partition: its number.
        sources: partitions of the requests topic; an hour closes when each of them has marked it.
    """

    def __init__(self, config: DetectionConfig, partition: int = 0, sources: int = 1) -> None:
        super().__init__(config)
        self.partition = partition
        self.marks = HourMarks(range(sources))
        self.closed_hour = NEVER
        self.waiting = WaitingEvidence()
        self.reference = Reference()
        self.exponents = _priors()
        self._learned: dict[int, dict[int, float]] = {}
        """Hour to exponents that are not used yet."""
        self.applied = self.late = self.judged = 0
        self._strange: set[int] = set()
        """Accounts that are no part of what is ordinary; as of the last hour."""

    # ---- evidence

    def process(self, items: Iterable[LinkEvidence | HourMark]) -> LinkOutput:
        """Take evidence and marks in any order; judge the hours that are complete."""
        if self._settle():
            self._strange = self.strange()
        for item in items:
            if isinstance(item, HourMark):
                self.marks.note(item)
            elif item.account.hour <= self.closed_hour:
                self.late += 1
            else:
                self.waiting.put(item)
        output = LinkOutput(complete_hour=self.marks.complete)
        for hour in self.waiting.due(output.complete_hour):
            self._close_hour(hour, output)
        return output

    def _close_hour(self, hour: int, output: LinkOutput) -> None:
        self.closed_hour = hour
        evidence = self.waiting.take(hour)
        touched: dict[int, set[int]] = {}
        met: dict[str, set[int]] = {}
        for item in evidence:
            if item.kind == LinkKind.BEHAVIOUR:
                met.setdefault(item.account.tenant_id, set()).add(self.meet(item))
            else:
                number, account = self.add(item)
                touched.setdefault(number, set()).add(account)
        self.applied += len(evidence)
        for number in sorted(touched):
            self._judge_link(number, touched[number], hour, output)
        if met:
            self._judge_places(met, hour, output)
        if hour % DAY_HOURS == 0:
            self.forget(hour - FORGET_HOURS)
        self._strange = self.strange()
        self._learn(hour)

    # ---- judging

    def _judge_link(self, number: int, active: set[int], hour: int, output: LinkOutput) -> None:
        link = self.links.get(number)
        if link is None or not link.holding:
            return
        rows = self.rows(link.accounts)
        rows = rows[rows["hour"] > hour - DAY_HOURS]
        owners = link.size * len(np.unique(rows["owner"])) / max(len(rows), 1)
        exponent = self.exponents.get(link.kind, 0.0)
        verdict = judge(rows, self.reference, hour, kind=link.kind, owners=owners, exponent=exponent)
        if verdict is None:
            return
        self.judged += 1
        if verdict.suspicious:
            told = set(link.all_accounts)
            everybody = self.rows(sorted(told & active if link.watched else told))
            everybody = everybody[everybody["hour"] > BLANK_HOUR]
            # a hub is not watched: that its sample holds a core says little about the rest behind it
            link.watched |= bool(verdict.core.mean() >= WATCHED_SHARE)
            output.reports.append(self._report(link, verdict, rows, everybody, owners))

    def _judge_places(self, met: dict[str, set[int]], hour: int, output: LinkOutput) -> None:
        """Judge the meeting places of tenants that had evidence, tenant to its accounts."""
        rows = self.table.rows[: len(self.table.keys)]
        lately = rows["met"] & (rows["hour"] > hour - DAY_HOURS)
        found, awake = self._by_tenant(lately & rows["found"]), self._by_tenant(lately & sleepless(rows))
        several = {tenant_id for tenant_id, slots in found.items() if len(slots) >= FEWEST_MEMBERS}
        others = self._by_tenant(lately & ~rows["found"]) if several else {}
        ordinary = self._ordinary()
        for tenant_id in sorted(met):
            place = self.place(tenant_id)
            if tenant_id in several:
                mine, not_found = (self.table.rows[one.get(tenant_id, [])] for one in (found, others))
                place.gather(mine, not_found, self.reference, hour)
            place.gather_sleepless(
                self.table.rows[awake.get(tenant_id, [])], ordinary, self.reference, hour
            )
            self._judge_place(place, tenant_id, met[tenant_id], hour, output)

    def _by_tenant(self, which: NDArray[np.bool_]) -> dict[str, list[int]]:
        """Tenant to those of its accounts, by name."""
        slots: dict[str, list[int]] = {}
        for slot in sorted(np.flatnonzero(which).tolist(), key=self.table.keys.__getitem__):
            slots.setdefault(self.table.keys[slot].partition(":")[0], []).append(slot)
        return slots

    def _judge_place(
        self, place: MeetingPlace, tenant_id: str, slots: set[int], hour: int, output: LinkOutput
    ) -> None:
        for group in place.close_hour(hour, self.table, np.array(sorted(slots), np.intp)):
            core = self.rows([one for one in sorted(group.core) if one in self.table.slots])
            core = core[core["hour"] > hour - DAY_HOURS]
            verdict = judge(
                core,
                self.reference,
                hour,
                kind=LinkKind.BEHAVIOUR,
                owners=len(core),
                exponent=0.0,
                alike_nats=group.nats if group.nats >= SEED_NATS else None,
                by_clock=group.by_clock,
            )
            if verdict is None:
                continue
            self.judged += 1
            if verdict.suspicious:
                group.suspected = hour
                members = group.members
                everybody = self.rows([one for one in sorted(members) if one in self.table.slots])
                link = LinkSample(tenant_id, LinkKind.BEHAVIOUR, group.value)
                output.reports.append(self._report(link, verdict, core, everybody, len(members)))
        place.drop_unsuspected()

    def _report(
        self, link: LinkSample, verdict: Verdict, rows: Rows, everybody: Rows, owners: float
    ) -> GroupReport:
        names = [self.table.keys[self.table.slots[account]] for account in everybody["account"].tolist()]
        told = Told(names, everybody, owners)
        return group_report(link, verdict, rows, told, self._ordinary(), self.reference, self.closed_hour)

    # ---- learning

    def _ordinary(self) -> Rows:
        """The sample of accounts without those that are strange."""
        return self.rows([one for one in self.population if one not in self._strange])

    def _learn(self, hour: int) -> None:
        """What is ordinary, for the judgements of the next hours."""
        self.reference = reference(self._ordinary(), hour)
        if hour % EXPONENT_HOURS:
            return
        # Hill's estimate of the tail of owners per link, where it is heavier than the prior
        self._learned[hour] = {
            kind: min(SIZE_EXPONENTS[LinkKind(kind)], len(logs) / max(fsum(logs), 1e-9))
            for kind, logs in sorted(self.log_sizes(SIZE_EXPONENTS).items())
            if len(logs) >= FEWEST_LINKS
        }
        for old in [one for one in self._learned if one <= hour - EXPONENT_DELAY_H]:
            self.exponents = _priors() | self._learned.pop(old)

    # ---- state

    def take_changes(self) -> list[Change]:
        """Changelog records since the last call, the partition's own record last. What is pending is among
        them, so that the records it came in need not be read again."""
        records = self._link_changes()
        records += [(b"e" + place, data) for place, data in self.waiting.take_changes()]
        state = PartitionRecord(
            parameters=self.config.parameter_hash(),
            closed_hour=self.closed_hour,
            marks=self.marks.hours,
            reference=self.reference,
            exponents=self.exponents,
            population=self.population,
            counters=[self.applied, self.late, self.evicted, self.judged],
            learned=self._learned,
        )
        records.append((b"p%d" % self.partition, msgspec.msgpack.encode(state)))
        return records

    def restore(self, records: Iterable[Change]) -> None:
        """Apply changelog records, oldest first. May be called with one stretch after another.

        Raises:
            IncompatibleState: the state was written with other parameters.
        """
        of_links: list[Change] = []
        for key, value in records:
            kind, rest = key[:1], key[1:]
            if kind == b"e":
                self.waiting.restore(rest, value)
            elif kind != b"p":
                of_links.append((key, value))
            elif value is not None:
                self._restore_partition(msgspec.msgpack.decode(value, type=PartitionRecord))
        self._restore_links(of_links)

    def _restore_partition(self, state: PartitionRecord) -> None:
        if state.parameters != self.config.parameter_hash():
            raise IncompatibleState("the links were stored with other [detection] settings")
        self.closed_hour, self.marks.hours, self.reference = state.closed_hour, state.marks, state.reference
        self.exponents, self.population = state.exponents, state.population
        self.applied, self.late, self.evicted, self.judged = state.counters
        self._learned = state.learned

    def stats(self) -> dict[str, int]:
        """Counters for operators."""
        return {
            "links": len(self.links),
            "accounts": len(self.table),
            "candidates": sum(len(place.groups) for place in self.places.values()),
            "evidence": self.applied,
            "late_evidence": self.late,
            "pending": len(self.waiting),
            "evicted_links": self.evicted,
            "judged_groups": self.judged,
        }


def _priors() -> dict[int, float]:
    return {int(kind): exponent for kind, exponent in SIZE_EXPONENTS.items()}
