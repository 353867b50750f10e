import msgspec

from agents.demo.verdict import StoredFinding, judge
from streams.simulation.population import Truth

TRUTH = Truth(
    campaigns={"heavy": ("acct-a",), "templated": ("acct-b",)},
    habits={"acct-c": "person", "acct-d": "batch"},
)


def finding(id: str, subject: str) -> StoredFinding:
    return StoredFinding(
        finding_id=id,
        subject_id=subject,
        detector="template",
        severity="high",
        raised_at="10:00:00",
        event_count=10,
        leaked_count=9,
        reason="because",
    )


def verdict(stored, alerts, *, sent=100, rows=100, windowed=100):
    return judge(
        TRUTH, stored, alerts, sent=sent, rows=rows, windowed=windowed, leaked={"heavy": 1207, "templated": 9}
    )


BOTH = [finding("f1", "acct-a"), finding("f2", "acct-b")]


def failures(checks):
    return [check.text for check in checks if not check.holds]


def test_both_found_and_nobody_else():
    checks = verdict(BOTH, {"f1", "f2"})
    assert failures(checks) == []
    assert any("acct-a was found after 1,207 answers" in check.text for check in checks)


def test_a_missed_attacker_is_named():
    assert failures(verdict(BOTH[:1], {"f1"})) == ["the templated attacker acct-b was missed"]


def test_an_innocent_account_is_named_with_what_it_is():
    (text,) = failures(verdict([*BOTH, finding("f3", "acct-d")], {"f1", "f2", "f3"}))
    assert "acct-d (batch)" in text


def test_a_subject_that_nobody_simulated_is_no_attacker():
    (text,) = failures(verdict([*BOTH, finding("f3", "acct-z")], {"f1", "f2", "f3"}))
    assert "acct-z (unknown)" in text


def test_store_and_alerts_must_agree_on_ids_not_on_numbers():
    (text,) = failures(verdict(BOTH, {"f1", "f9"}))
    assert "1 in common" in text


def test_requests_must_be_stored_and_counted():
    assert len(failures(verdict(BOTH, {"f1", "f2"}, rows=99))) == 1
    assert len(failures(verdict(BOTH, {"f1", "f2"}, windowed=101))) == 1


HYDRA = Truth(campaigns={"hydra": ("acct-1", "acct-2", "acct-3")}, habits={"acct-c": "person"})


def campaign(*members: str) -> StoredFinding:
    return msgspec.structs.replace(finding("f1", "cmp_1"), members=members)


def judged(stored):
    leaked, ids = {"hydra": 40}, {one.finding_id for one in stored}
    return judge(HYDRA, stored, ids, sent=1, rows=1, windowed=1, leaked=leaked)


def test_a_campaign_is_found_as_one():
    checks = judged([campaign("acct-1", "acct-3")])
    assert failures(checks) == []
    assert checks[0].text.endswith("after 40 answers: 2 of its 3 accounts are named")


def test_members_found_one_by_one_are_no_campaign():
    assert failures(judged([finding("f1", "acct-1"), finding("f2", "acct-2")])) == [
        "the hydra of 3 accounts was missed"
    ]


def test_an_innocent_member_is_a_false_accusation():
    (text,) = failures(judged([campaign("acct-1", "acct-2", "acct-c")]))
    assert "acct-c (person)" in text
