"""The campaign evaluation: its evidence is the account plane's, its scores are what was declared."""

from __future__ import annotations

from collections import Counter
from functools import partial
from io import StringIO

import msgspec
import numpy as np
import pytest
from rich.console import Console

from agents.campaign_report import campaign_tables
from agents.scenarios import load, names
from schemas.errors import InvalidSetting
from schemas.event import decode_event
from schemas.evidence import AccountEvidence
from streams.account_plane import AccountPlane
from streams.config import DetectionConfig
from streams.detectors.shift import STRUCTURE, Shift
from streams.evaluation.campaign_baselines import AccountMmd, Alarm, RateLimit, SharedLink
from streams.evaluation.campaign_evidence import EvidenceColumns
from streams.evaluation.campaign_outcome import Outcome
from streams.evaluation.campaign_score import Attack, World, score
from streams.evaluation.campaigns import CampaignRun
from streams.fingerprint import Fingerprinter
from streams.simulation.attackers import Campaign
from streams.simulation.content import Content
from streams.simulation.crowds import Crowd
from streams.simulation.lines import Lines
from streams.simulation.scenario import Scenario
from streams.simulation.sources import endings, written
from streams.simulation.traffic import Traffic

SECRET = b"a secret of this test"
HYDRA = Campaign(
    name="hydra", text="pipeline", accounts=40, requests_per_day=25.6, cv=0.5, starts_after=0.5,
    share={"payment": 1},
)  # fmt: skip
APP = Crowd(
    name="app", accounts=(40, 40), writer="assistant", visits_per_day=3.0, starts_after=(0.4, 0.4),
    joins_over_h=4,
)  # fmt: skip


def test_evidence_is_what_account_planes_tell() -> None:
    """The same requests, once as columns and once as events through the account plane."""
    scenario = Scenario(
        accounts=80, seed=4, duration_s=30 * 3600, most_visits_per_day=40, crowds=(APP,), campaigns=(HYDRA,)
    )
    traffic = Traffic(scenario, text=False)
    content = Content(traffic.population, partial(endings, Fingerprinter(SECRET, "k1")))
    # the account plane sums the structure group with the shift detector's columns
    plane = AccountPlane(DetectionConfig(), detectors=[Shift()])
    wanted: dict[tuple[str, int], AccountEvidence] = {}
    for part in Lines(traffic, content):
        output = plane.process([decode_event(line) for line in part.lines])
        wanted |= {(one.account_id, one.hour): one for one in output.evidence}
    wanted |= {(one.account_id, one.hour): one for one in plane.close_windows().evidence}
    told = {
        (one.account_id, one.hour): one
        for hour in EvidenceColumns(
            traffic, Content(traffic.population, partial(written, Fingerprinter(SECRET, "k1")))
        )
        for one in hour.evidence
    }
    assert set(told) == set(wanted)
    assert len(told) > 800
    compared = structured = 0
    for place, evidence in told.items():
        other = wanted[place]
        if evidence.prompts != other.prompts or evidence.requests > 100:
            continue  # events of the next hour's first minute are in; older prompts have faded
        mean, others = (np.frombuffer(one.mean, np.int8) for one in (evidence, other))
        content = np.delete(mean, STRUCTURE), np.delete(others, STRUCTURE)
        assert np.array_equal(*content)
        bare = [msgspec.structs.replace(one, mean=b"", links=(), found=False) for one in (evidence, other)]
        assert bare[0] == bare[1]  # the account plane has found some of them by themselves
        assert [link for link in evidence.links if link[0] < 5] == [one for one in other.links if one[0] < 5]
        compared += 1
        if evidence.requests == 1:
            assert np.array_equal(mean, others)
            assert evidence.links == other.links
            structured += 1
    assert compared > 0.9 * len(told)
    assert structured > 50


@pytest.fixture(scope="module")
def run() -> CampaignRun:
    scenario = Scenario(
        accounts=400, seed=2, duration_s=36 * 3600, crowds=(APP,), campaigns=(HYDRA,),
        # their many texts take longer to write than the run
        without=("assistant", "processor", "batch", "inline-batch"),
    )  # fmt: skip
    return CampaignRun(scenario, DetectionConfig(), SECRET)


def test_a_hydra_is_found_and_nobody_else_is(run: CampaignRun) -> None:
    hours: list[int] = []
    outcome = run.run(hours.append)
    assert sum(hours) == 36
    found = outcome.score.found["hydra"]
    assert outcome.score.campaign_recall == 1
    assert found.named >= 38
    assert found.first_h is not None
    assert found.first_h < 14
    assert 0 < found.leaked_before_first_finding <= found.leaked_before_most_named <= found.answers
    assert outcome.score.false_campaigns == 0
    assert outcome.score.account_precision == 1
    assert outcome.score.benign["app"].account_days > 20
    assert outcome.ablation["only payment"].campaign_recall == 1
    assert outcome.ablation["only network"].campaign_recall == 0
    assert outcome.baselines["payment_union_find"].campaign_recall == 1
    assert outcome.cost.requests > outcome.cost.summaries > 0
    assert outcome.cost.link_bytes > 10_000
    published = outcome.published()
    assert set(published) == {
        "account_days", "campaigns", "campaign_recall", "account_recall", "account_precision",
        "leaked_before_first_finding", "leaked_fraction", "false_campaigns_per_million_account_days",
        "confounders", "baselines",
    }  # fmt: skip
    baselines = published["baselines"]
    assert isinstance(baselines, dict)
    assert all(set(one) == set(published) - {"baselines"} for one in baselines.values())
    _fits_a_terminal(outcome)


def _fits_a_terminal(outcome: Outcome) -> None:
    """Eighty columns wide, names break and no figure loses a digit."""
    found = msgspec.structs.replace(outcome.score.found["hydra"], answers=12_345_678)
    score = msgspec.structs.replace(outcome.score, found={"a_campaign_with_a_long_name": found})
    console = Console(width=80, file=StringIO())
    for one in campaign_tables(msgspec.structs.replace(outcome, score=score)):
        console.print(one)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "12,345,678" in printed
    assert "\N{HORIZONTAL ELLIPSIS}" not in printed
    assert max(map(len, printed.splitlines())) <= 80


WORLD = World(
    attacks=(
        Attack("one", frozenset(f"a{n}" for n in range(20)), 100, np.repeat(np.arange(100, 110), 20)),
        Attack("two", frozenset({"b0"}), 100, np.arange(100, 105)),
    ),
    crowd_of={"x0": "office", "x1": "office", "y0": "customer", "y1": "customer"},
    allowed=frozenset({"customer"}),
    account_days={None: 900_000, "office": 50_000, "customer": 50_000},
)


def test_an_operators_account_is_no_innocent_while_it_sends_cover() -> None:
    covered = msgspec.structs.replace(HYDRA, accounts=30, cover=0.97)
    scenario = Scenario(
        accounts=100, seed=3, duration_s=24 * 3600, campaigns=(covered,),
        without=("assistant", "processor", "batch", "inline-batch"),
    )  # fmt: skip
    run = CampaignRun(scenario, DetectionConfig(), SECRET, comparisons=False)
    # at 25 requests a day, 0.8 of them attack: about half of the accounts have sent none
    assert run.run(lambda _: None).attackers == 30


def test_scores_of_alarms() -> None:
    alarms = [
        Alarm("f1", 102, [f"a{n}" for n in range(8)]),
        Alarm("f1", 104, [f"a{n}" for n in range(18)] + ["p9"]),
        Alarm("f2", 103, ["x0", "x1", "a19"]),
        Alarm("f3", 103, ["y0", "y1"]),
    ]
    result = score(alarms, WORLD)
    assert (result.campaigns, result.campaign_recall) == (2, 0.5)
    assert result.account_recall == pytest.approx(18 / 21)  # an attacker in a false campaign is not found
    assert result.account_precision == pytest.approx(18 / 21)  # p9, x0 and x1 are wrong, y0 and y1 allowed
    assert result.leaked_before_first_finding == 60 + 5
    assert result.leaked_fraction == pytest.approx(65 / 205)
    assert result.found["one"].leaked_before_half_named == 100
    assert result.found["one"].leaked_before_most_named == 100
    assert result.found["one"].first_h == 3
    assert result.found["two"].first_h is None
    assert (result.found["one"].precision, result.found["two"].precision) == (pytest.approx(18 / 19), None)
    assert (result.false_campaigns, result.suppressed) == (1, 1)
    assert result.false_campaigns_per_million_account_days == pytest.approx(1.0)
    assert result.published()["confounders"] == {
        "office": {"false_campaigns": 1}, "customer": {"false_campaigns": 0},
    }  # fmt: skip
    assert result.population.accounts_named == 1


def test_a_share_of_nothing_is_no_figure() -> None:
    crowds: dict[str, str] = {"x0": "population"}
    quiet = score([], World((), crowds, frozenset(), {None: 10, "population": 5}))
    assert quiet.published() == {
        "account_days": 15, "campaigns": 0, "campaign_recall": None, "account_recall": None,
        "account_precision": None, "leaked_before_first_finding": 0, "leaked_fraction": None,
        "false_campaigns_per_million_account_days": 0.0,
        "confounders": {"population": {"false_campaigns": 0}},  # a crowd may be called anything
    }  # fmt: skip
    wrong = score([Alarm("f", 1, ["x0"])], World((), crowds, frozenset(), {None: 10, "population": 5}))
    assert (wrong.account_precision, wrong.benign["population"].false_campaigns) == (0.0, 1)


def evidence(account: str, *, volume: int = 1, mean: int = 0, payment: int = 0) -> AccountEvidence:
    return AccountEvidence(
        tenant_id="t", account_id=account, hour=0, links=((1, payment),) if payment else (), owner=1,
        prompts=20, mean=np.full(256, mean, np.int8).tobytes(), requests=volume, completed=volume,
        hourly=bytes(23) + bytes([volume]), created_hour=0, first_hour=0, constants=0,
    )  # fmt: skip


def test_baselines_name_what_they_are_made_for() -> None:
    people = [evidence(f"p{n}", volume=n % 20, mean=n % 7 - 3, payment=100 + n) for n in range(300)]
    odd = [evidence(f"h{n}", volume=200, mean=30, payment=7) for n in range(9)]
    for rule, expected in ((RateLimit(), 9), (AccountMmd(), 9), (SharedLink(1), 1)):  # type: ignore[arg-type]
        for hour in range(24):
            assert not list(rule.take(people, hour))
        alarms = [*rule.take(people, 24), *rule.take(people[:5] + odd, 25)]
        named = Counter(account for alarm in alarms for account in alarm.accounts)
        assert set(named) == {f"h{n}" for n in range(9)}
        assert len(alarms) == expected


def test_every_scenario_that_comes_along_can_be_read_and_scaled() -> None:
    assert {"hydra", "attacks", "applications", *(f"hydra-e{n}" for n in range(1, 7))} <= set(names())
    for name in names():
        scenario = load(name)
        assert scenario.about
        assert scenario.scaled().scale == 1
    assert load("hydra").declared_accounts == pytest.approx(1_000_000, rel=0.01)
    assert load("hydra-e5").crowds == load("hydra").crowds
    assert load("hydra-e5").campaigns[0].cover == 0.5


def test_a_scenario_that_does_not_exist_is_named(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidSetting, match="no-such"):
        load("no-such")
    circle = tmp_path / "circle.toml"
    circle.write_text(f'base = "{circle}"\naccounts = 3')
    with pytest.raises(InvalidSetting, match="each other"):
        load(str(circle))
    circle.write_text('base = "hydra"\naccounts = 0')
    with pytest.raises(InvalidSetting) as error:
        load(str(circle))
    assert error.value.setting == "scenario.accounts"
    circle.write_text("accounts = 3")
    assert msgspec.structs.replace(load(str(circle)), seed=1).accounts == 3


def test_requests_that_are_judged_one_by_one_tell_the_same_and_more() -> None:
    templated = msgspec.structs.replace(HYDRA, accounts=12, requests_per_day=120.0)
    scenario = Scenario(
        accounts=60, seed=3, duration_s=20 * 3600, campaigns=(templated,),
        without=("assistant", "processor", "batch", "inline-batch"),
    )  # fmt: skip
    by_column = CampaignRun(scenario, DetectionConfig(), SECRET, comparisons=False).run()
    by_request = CampaignRun(scenario, DetectionConfig(), SECRET, requests=True, comparisons=False).run()
    assert by_request.cost.requests == by_column.cost.requests
    assert by_request.cost.summaries == by_column.cost.summaries
    assert by_request.score.account_days == by_column.score.account_days
    assert by_column.alone is None
    assert by_request.alone == {"hydra": 12}
    assert by_request.score.campaign_recall == 1
    assert by_request.published()["accounts_found_alone"] == by_request.alone
