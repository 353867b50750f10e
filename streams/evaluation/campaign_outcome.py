"""`Outcome`: everything about one run of the campaign protocol."""

from __future__ import annotations

import msgspec

from schemas.finding import Finding
from streams.evaluation.campaign_score import Score


class Cost(msgspec.Struct):
    """Seconds of processor time, and how much they were spent on."""

    simulation_s: float = 0.0
    link_plane_s: float = 0.0
    campaign_plane_s: float = 0.0
    baselines_s: float = 0.0
    requests: int = 0
    summaries: int = 0
    """Account-hours."""
    links: int = 0
    """Summaries times links of each."""
    reports: int = 0
    link_bytes: int = 0
    """Stored state of the link plane at the end ..."""
    links_held: int = 0
    accounts_held: int = 0
    campaign_bytes: int = 0
    """... and of the campaign plane."""
    groups_held: int = 0


class Outcome(msgspec.Struct):
    """Everything about one run."""

    score: Score
    baselines: dict[str, Score]
    ablation: dict[str, Score]
    """``without <kind>`` and ``only <kind>``."""
    settings: dict[str, str]
    """Campaign to what it does, in words."""
    candidates: dict[str, int]
    """Crowd to how many of its groups were a candidate: more alike than the days before allow."""
    groups: dict[str, int]
    """Crowd to how many groups it has."""
    findings: list[Finding]
    alone: dict[str, int] | None
    """Campaign, crowd or `IN_NO_CROWD` to how many accounts had a finding of their own, where account planes
    have judged them."""
    cost: Cost
    accounts: int
    attackers: int
    hours: int

    def published(self) -> dict[str, object]:
        """The published JSON."""
        rules = {name: one.published() for name, one in self.baselines.items()}
        alone = {} if self.alone is None else {"accounts_found_alone": self.alone}
        return {**self.score.published(), **alone, "baselines": rules}
