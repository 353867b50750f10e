"""`GroupPipeline`: link planes and campaign plane in one process, fed by account planes.

For replay and tests: the same planes as in the fleet, tied by plain calls. Evidence is shared over link
planes by the partition of its key, as Kafka would.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from schemas.evidence import NO_MORE, AccountEvidence, GroupReport, HourMark, LinkEvidence
from schemas.finding import Finding
from schemas.partitioning import partition_for
from streams.campaign_plane import CampaignPlane
from streams.config import DetectionConfig
from streams.link_plane import LinkPlane
from streams.spread import spread


class GroupPipeline:
    """Everything behind the account planes.

    Args:
        config: as the account planes'.
        sources: account planes.
        partitions: link planes.
    """

    def __init__(self, config: DetectionConfig, *, sources: int = 1, partitions: int = 1) -> None:
        self.links = [LinkPlane(config, number, sources) for number in range(partitions)]
        self.campaigns = CampaignPlane(config, sources=partitions)

    def process(self, evidence: Iterable[AccountEvidence], marks: Sequence[int]) -> list[Finding]:
        """Take evidence; `marks` says for each account plane up to which hour it has told everything."""
        shares: list[list[LinkEvidence | HourMark]] = [
            [HourMark(source, hour) for source, hour in enumerate(marks)] for _ in self.links
        ]
        for account in evidence:
            for item in spread(account):
                place = partition_for(item.key, len(shares)) if len(shares) > 1 else 0
                shares[place].append(item)
        findings: list[Finding] = []
        for number, (plane, share) in enumerate(zip(self.links, shares, strict=True)):
            # marks last: they close hours
            output = plane.process([*share[len(marks) :], *share[: len(marks)]])
            told: list[GroupReport | HourMark] = [*output.reports, HourMark(number, output.complete_hour)]
            findings += self.campaigns.process(told).findings
        return findings

    def finish(self) -> list[Finding]:
        """No more evidence is expected."""
        return self.process([], [NO_MORE] * len(self.links[0].marks.hours))
