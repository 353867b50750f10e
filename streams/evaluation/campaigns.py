"""The campaign protocol: a simulated provider through the link and campaign planes, hour by hour.

Requests are drawn as columns and reach the planes as the evidence account planes would tell
(`streams.evaluation.campaign_evidence`), or as text from which account planes tell it
(`streams.evaluation.request_evidence`). Nothing is set on the run: parameters are the shipped ones, what the
planes learn they learn from the stream they judge, attackers included. Everything about accounts is
simulated; see `streams.simulation`.

The ablation by kind of link asks further campaign planes that do not hear of groups of one kind (or hear of
one kind only). What the link plane learns from the other groups is left as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from schemas.evidence import GroupReport, HourMark, LinkEvidence, LinkKind
from schemas.finding import Finding
from streams.campaign_plane import CampaignPlane
from streams.config import DetectionConfig
from streams.evaluation.campaign_baselines import Alarm, baselines
from streams.evaluation.campaign_evidence import EvidenceColumns, Hour
from streams.evaluation.campaign_outcome import Cost, Outcome
from streams.evaluation.campaign_score import IN_NO_CROWD, Score, World, score
from streams.evaluation.campaign_truth import CampaignTruth
from streams.evaluation.request_evidence import RequestEvidence
from streams.fingerprint import Fingerprinter
from streams.hashing import hash64
from streams.link_plane import LinkPlane
from streams.simulation.content import Content
from streams.simulation.identity import NOBODY
from streams.simulation.population import Population
from streams.simulation.random_campaigns import in_words
from streams.simulation.scenario import Scenario
from streams.simulation.sources import written
from streams.simulation.traffic import Traffic
from streams.spread import spread

PARTITION_ACCOUNTS = 200_000
"""The evidence topic has a partition for every so many accounts, as a deployment of that size would."""
CANDIDATE_SHARE = 0.5
"""Share of a candidate's accounts that must be of one group for it to be that group's."""


class View(NamedTuple):
    """A campaign plane and the kinds of links whose groups it hears of."""

    plane: CampaignPlane
    kinds: frozenset[LinkKind]


class CampaignRun:
    """One world, once.

    Args:
        scenario: at the size it is run at.
        secret: of the fingerprints.
        requests: write every prompt, and let an account plane judge every request.
        comparisons: run baselines and ablation as well.
        clock: seconds of processor time, for `Cost`.
    """

    def __init__(
        self,
        scenario: Scenario,
        config: DetectionConfig,
        secret: bytes,
        *,
        requests: bool = False,
        comparisons: bool = True,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._clock = clock
        self._scenario = scenario
        traffic = Traffic(scenario, text=requests)
        self.population: Population = traffic.population
        self._hours: EvidenceColumns | RequestEvidence
        if requests:
            self._hours = RequestEvidence(traffic, secret, config)
        else:
            content = Content(self.population, partial(written, Fingerprinter(secret, "k1")))
            self._hours = EvidenceColumns(traffic, content)
        partitions = -(-self.population.size // PARTITION_ACCOUNTS)
        self._links = [LinkPlane(config, number) for number in range(partitions)]
        self._views = {"all": View(CampaignPlane(config), frozenset(LinkKind))}
        self._views |= dict(_ablation(config)) if comparisons else {}
        self._rules = baselines() if comparisons else {}
        self._alarms: dict[str, list[Alarm]] = {name: [] for name in (*self._views, *self._rules)}
        self._findings: list[Finding] = []
        self._truth = CampaignTruth(self.population)
        self._row_of = {
            hash64(f"{scenario.tenant_id}:{self.population.account_id(row)}"): row
            for row in range(self.population.size)
        }
        self._known_candidates: set[int] = set()
        self._candidates: dict[str, set[int]] = {}
        self.cost = Cost()

    def run(self, advance: Callable[[int], object] = lambda hours: None) -> Outcome:
        """Run to the end. `advance` is told of every hour that has passed."""
        mark = self._clock()
        for hour in self._hours:
            self.cost.simulation_s += self._clock() - mark
            self._truth.note(hour)
            self._judge(hour)
            advance(1)
            mark = self._clock()
        self._truth.close_day()
        return self._outcome()

    def so_far(self) -> Score:
        """Our figures for the hours that have passed, and the days that have ended."""
        return score(self._alarms["all"], self._truth.world())

    def _judge(self, hour: Hour) -> None:
        cost, started = self.cost, self._clock()
        parts: list[list[LinkEvidence | HourMark]] = [[] for _ in self._links]
        for one in hour.evidence:
            for item in spread(one):
                parts[item.value % len(parts)].append(item)
        reports: list[GroupReport] = []
        for plane, part in zip(self._links, parts, strict=True):
            cost.links += len(part)
            reports += plane.process([*part, HourMark(0, hour.hour)]).reports
        judged = self._clock()
        for name, (campaigns, kinds) in self._views.items():
            told: list[GroupReport | HourMark] = [one for one in reports if one.kind in kinds]
            began = self._clock()
            findings = campaigns.process([*told, HourMark(0, hour.hour)]).findings
            self._alarms[name] += [Alarm(one.finding_id, hour.hour, one.members) for one in findings]
            if name == "all":
                cost.campaign_plane_s += self._clock() - began
                self._findings += findings
        compared = self._clock()
        for name, rule in self._rules.items():
            self._alarms[name] += rule.take(hour.evidence, hour.hour)
        self._note_candidates()
        cost.link_plane_s += judged - started
        cost.baselines_s += self._clock() - compared
        cost.requests += len(hour.calls.account)
        cost.summaries += len(hour.evidence)
        cost.reports += len(reports)

    def _note_candidates(self) -> None:
        """Groups of crowds among what the meeting places hold."""
        for place in (one for plane in self._links for one in plane.places.values()):
            for group in place.groups.values():
                if group.value not in self._known_candidates:
                    self._known_candidates.add(group.value)
                    rows = [self._row_of[one] for one in group.core if one in self._row_of]
                    numbers = Counter(self.population.group[rows].tolist())
                    number, count = numbers.most_common(1)[0]
                    if number != NOBODY and count >= CANDIDATE_SHARE * len(rows):
                        first = int(np.argmax(self.population.group == number))
                        name = self._scenario.crowds[int(self.population.crowd[first])].name
                        self._candidates.setdefault(name, set()).add(number)

    def _outcome(self) -> Outcome:
        world = self._truth.world()
        scores = {name: score(alarms, world) for name, alarms in self._alarms.items()}
        self._measure_state()
        return Outcome(
            score=scores["all"],
            baselines={name: scores[name] for name in self._rules},
            ablation={name: scores[name] for name in self._views if name != "all"},
            settings={one.name: in_words(one) for one in self._scenario.campaigns},
            candidates={name: len(numbers) for name, numbers in self._candidates.items()},
            groups={one.name: one.groups for one in self._scenario.crowds},
            findings=self._findings,
            alone=self._alone(world),
            cost=self.cost,
            accounts=self.population.size,
            attackers=self._truth.attackers,
            hours=self._scenario.duration_s // 3600,
        )

    def _alone(self, world: World) -> dict[str, int] | None:
        if not isinstance(self._hours, RequestEvidence):
            return None
        line_of = dict(world.crowd_of)
        for attack in world.attacks:
            line_of |= dict.fromkeys(attack.accounts, attack.name)
        found = {one.subject_id for one in self._hours.findings}
        return dict(sorted(Counter(line_of.get(one, IN_NO_CROWD) for one in found).items()))

    def _measure_state(self) -> None:
        cost, campaigns = self.cost, self._views["all"].plane
        for links in self._links:
            cost.link_bytes += sum(len(key) + len(value or b"") for key, value in links.take_changes())
            cost.links_held += len(links.links)
            cost.accounts_held += links.stats()["accounts"]
        cost.campaign_bytes = sum(len(key) + len(value or b"") for key, value in campaigns.take_changes())
        cost.groups_held = campaigns.stats()["suspicious_groups"]


def _ablation(config: DetectionConfig) -> Iterator[tuple[str, View]]:
    for kind in LinkKind:
        yield f"without {kind.label}", View(CampaignPlane(config), frozenset(LinkKind) - {kind})
        yield f"only {kind.label}", View(CampaignPlane(config), frozenset({kind}))
