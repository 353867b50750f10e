"""`stillwatch campaign` as an analyst meets it, on both kinds of store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from infra.clickhouse import migrate
from infra.clickhouse.feeds import FEEDS
from infra.clickhouse.libchdb_server import LibchdbServer
from infra.clickhouse.store import open_store
from schemas.finding import Lifecycle
from tests.integration.store.records import START, digest, finding, request

pytestmark = pytest.mark.integration

Command = Callable[..., tuple[int, str]]
BUILDERS = {name: build for feed in FEEDS.values() for name, build in feed.tables.items()}
MEMBERS = tuple(f"acct-{number}" for number in range(12))


@pytest.fixture(params=["embedded", "server"])
def dsn(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "embedded":
        return f"chdb://{tmp_path}/store"
    server: LibchdbServer = request.getfixturevalue("server")
    return server.dsn(f"campaign_{tmp_path.name}".replace("[", "_").strip("]"))


@pytest.fixture
def filled(dsn: str) -> str:
    """Twelve accounts on three cards over ten hours, told of twice; another campaign; an account."""
    told = {"subject_kind": "campaign", "detector": "campaign"}
    messages = [
        finding(0, MEMBERS[:9], finding_id="fnd_c1", subject_id="cmp-c1", **told),
        finding(
            240, MEMBERS, finding_id="fnd_c1", subject_id="cmp-c1", lifecycle=Lifecycle.UPDATE,
            leaked_count=77, **told,
        ),
        finding(0, MEMBERS[:8], finding_id="fnd_c2", subject_id="cmp-c2", **told),
        finding(0),
    ]  # fmt: skip
    requests = [
        request(
            0, account=number, event_id=f"{number}-{hour}", payment_hash=digest(number % 3),
            time=START + timedelta(hours=hour, seconds=number),
        )
        for hour in range(10)
        for number in range(12)
        if (hour + number) % 4
    ]  # fmt: skip
    with open_store(dsn) as store:
        migrate.migrate(store)
        store.insert("requests", BUILDERS["requests"](requests), "r")
        store.insert("findings", BUILDERS["findings"](messages), "f")
        store.insert("finding_members", BUILDERS["finding_members"](messages), "m")
    Path("stillwatch.toml").write_text(f'store.dsn = "{dsn}"\n')
    return dsn


def test_campaigns_are_listed_and_shown_and_what_is_not_there_is_said(
    stillwatch: Command, filled: str, tmp_path: Path
) -> None:
    code, said = stillwatch("campaign", "list")
    assert code == 0
    assert ("cmp-c1" in said, "cmp-c2" in said, "acct-0" in said) == (True, True, False)

    code, said = stillwatch("campaign", "show", "fnd_c1", "--html", "out.html")
    assert code == 0
    assert "12 accounts, 2,410 requests, 77 answers given" in said
    bars = next(line for line in said.splitlines() if "\u2588" in line)
    assert len(bars) == 10
    marks = said.splitlines()[said.splitlines().index(bars) + 1]
    assert marks == "!   +"
    assert "payment" in said
    assert said.count("acct-") == 12
    assert "campaign_members WHERE finding_id = 'fnd_c1'" in said

    page = (tmp_path / "out.html").read_text()
    assert page.count("<svg") == 3
    assert page.count("<circle") >= 12 + 3
    assert "src=" not in page
    assert "href=" not in page
    assert "acct-11" in page

    # in the same test, because filling a store takes longer than asking it
    for name in ("cmp-nothing", "x' OR 1=1 --"):
        code, said = stillwatch("campaign", "show", name)
        assert code == 2
        assert "stillwatch campaign list" in said
    code, said = stillwatch("campaign", "show", "cmp-c")
    assert (code, "several campaigns" in said) == (2, True)
