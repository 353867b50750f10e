"""`components`: which suspicious groups are one campaign.

Two groups are tied when they name many of the same accounts, or when both are known by their content and it
is the same. A network full of innocent accounts ties nothing: only accounts named by a group count.
"""

from __future__ import annotations

import msgspec
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from schemas.evidence import GroupReport, Member
from streams.group_statistics import NEEDED
from streams.membership import ACCEPTED

TIED_SHARE = 0.2
"""Share of the smaller group's named accounts that another must name too ..."""
TIED_ACCOUNTS = 3
SAME_CONTENT = 0.97
"""... or cosine of the centres of two groups that are known by their content."""


class Group(msgspec.Struct, array_like=True):
    """A suspicious group as last reported, with all members ever reported."""

    report: GroupReport
    """Without its members."""
    founded: int
    members: dict[str, Member]

    @property
    def key(self) -> tuple[str, int, int]:
        return self.report.tenant_id, self.report.kind, self.report.value

    def named(self) -> set[str]:
        """Accounts that belong to it."""
        return {name for name, member in self.members.items() if member.log_odds >= ACCEPTED}

    def nats(self, family: str) -> float:
        return max((one.nats for one in self.report.measures if one.family == family), default=0.0)


def components(groups: list[Group]) -> list[list[Group]]:
    """Groups that belong together, each part in the order given."""
    if not groups:
        return []
    named = [group.named() for group in groups]
    centres = np.stack([np.frombuffer(group.report.centre, np.int8) for group in groups]).astype(np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", centres, centres))
    cosines = centres @ centres.T / np.maximum(np.outer(lengths, lengths), 1e-9)
    content = np.array([group.nats("sameness") >= NEEDED for group in groups])
    same = (cosines >= SAME_CONTENT) & content[:, None] & content
    ties = []
    for left in range(len(groups)):
        for right in range(left):
            shared = len(named[left] & named[right])
            enough = max(TIED_SHARE * min(len(named[left]), len(named[right])), TIED_ACCOUNTS)
            if same[left, right] or shared >= enough:
                ties.append((left, right))
    pairs = np.array(ties or np.empty((0, 2)), np.intp)
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(groups),) * 2)
    count, labels = connected_components(graph, directed=False)
    return [[group for group, at in zip(groups, labels, strict=True) if at == part] for part in range(count)]
