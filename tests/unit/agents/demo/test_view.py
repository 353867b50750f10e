import io

from rich.console import Console

from agents.demo.verdict import Check, StoredFinding
from agents.demo.view import Attacker, Board, View, check_lines, stored_findings
from schemas.finding import Finding, Lifecycle, Severity, utc_from_ms

NOW_MS = 1_795_442_400_000

FINDING = Finding(
    finding_id="fnd_1",
    lifecycle=Lifecycle.CREATE,
    time=utc_from_ms(NOW_MS),
    detector="template",
    subject_kind="account",
    subject_id="acct-b",
    severity=Severity.HIGH,
    p_value=1e-9,
    event_count=1234,
    first_seen=utc_from_ms(NOW_MS),
    last_seen=utc_from_ms(NOW_MS),
    title="t",
    reasons=(),
)


def a_board() -> Board:
    return Board(
        phase="running",
        progress=0.5,
        event_time_ms=NOW_MS,
        sent=2000,
        handled=1900,
        events_per_s=850.4,
        lag=100,
        accounts=300,
        attackers=[
            Attacker("heavy", ("acct-a",), answers=700),
            Attacker("templated", ("acct-b",), answers=40, leaked=9, detector="template"),
        ],
        open_findings=[FINDING],
    )


def shown(part, **options) -> str:
    console = Console(file=io.StringIO(), width=110, **options)
    console.print(part)
    return console.file.getvalue()


def test_leaked_grows_for_an_attacker_until_it_is_found():
    assert a_board().leaked == 709


def test_the_picture_names_attackers_findings_and_figures():
    view = View(Console(file=io.StringIO()))
    view.board = a_board()
    text = shown(view.picture())
    for words in ("850", "1,900 of 2,000", "300", "at work", "found by template", "fnd_1", "1,234"):
        assert words in text


def test_elsewhere_than_on_a_terminal_it_is_one_plain_line():
    console = Console(file=io.StringIO(), width=80)
    with View(console) as view:
        view.board = a_board()
        view.show()
        view.show()  # too soon for another line
        view.board.phase = "settling"
        view.show()  # a new phase is told at once
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 2
    assert "\x1b" not in console.file.getvalue()
    assert "event time 14:00" in lines[0]
    assert "leaked 709" in lines[0]


def test_the_end_shows_findings_and_each_check():
    row = StoredFinding("fnd_1", "acct-b", "template", "high", "14:00:00", 40, 9, "one mould")
    assert "one mould" in shown(stored_findings([row], "Findings"))
    text = shown(check_lines([Check(True, "fine"), Check(False, "not fine")]))
    assert "ok    fine" in text
    assert "FAIL  not fine" in text


def test_a_campaign_takes_one_line():
    hydra = Attacker("hydra", ("acct-1", "acct-2"), answers=50)
    assert (hydra.who, hydra.status) == ("2 accounts", "at work")
    hydra.leaked, hydra.named = 30, 2
    assert hydra.status == "one campaign, 2 named"


def test_of_many_findings_the_table_keeps_the_campaign():
    rows = [StoredFinding(f"f{n}", f"acct-{n}", "shift", "high", "14:00:00", 40, 9, "r") for n in range(12)]
    rows.append(StoredFinding("f", "cmp_1", "campaign", "high", "15:00:00", 40, 9, "tied", ("a", "b", "c")))
    text = shown(stored_findings(rows, "Findings"))
    assert "3 accounts" in text
    assert "and 5 more" in text
