"""`Demonstration`: from nothing to the verdict, and everything stopped again."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Coroutine
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import msgspec

from agents.demo.feed import Feed
from agents.demo.listener import Listener
from agents.demo.verdict import Check, StoredFinding, judge
from agents.demo.view import Attacker, Board, View
from agents.demo.world import scenario, write_settings
from agents.settings import Settings, load
from agents.sql_endpoint import ask, read_endpoint
from agents.stack import Stack
from agents.status import read_statuses
from schemas.errors import Fatal, Rejected, StoreUnavailable

T = TypeVar("T")

REFRESH_S = 0.2
MOST_LAG = 20_000
"""Records the fleet may be behind before the feed waits."""
QUIET_S = 4.0
"""Campaigns are judged when all accounts of an hour are: so long after the last window nothing is said."""
SETTLE_TIMEOUT_S = 60.0
"""From the last record sent to the last one stored; what is missing then fails the verdict."""

FINDINGS_SQL = (
    "SELECT finding_id, subject_id, detector, toString(severity), formatDateTime(raised_at, '%H:%i:%S'), "
    "event_count, leaked_count, reasons[1], members FROM findings_current AS found LEFT JOIN "
    "(SELECT finding_id, groupArray(account_id) AS members FROM finding_members_current GROUP BY finding_id) "
    "AS named ON named.finding_id = found.finding_id ORDER BY raised_at"
)
ROWS_SQL = "SELECT count() FROM requests_current"
WINDOWED_SQL = "SELECT sum(requests) FROM account_windows_current"

FURTHER_SQL = (
    "SELECT raised_at, subject_id, detector, severity, leaked_count, title FROM findings_current",
    "SELECT subject_id, answers_before_finding, answers FROM leaked_answers",
    "SELECT time, kind, what FROM account_timeline WHERE account_id = '{account}' ORDER BY time",
    "SELECT template_hash, count() AS n, uniq(prompt_hash) AS prompts FROM requests_current "
    "WHERE account_id = '{account}' GROUP BY template_hash ORDER BY n DESC LIMIT 5",
)
"""To look further; ``{account}`` is an account with a finding."""


class _Answer(msgspec.Struct):
    """A ClickHouse answer in JSONCompact."""

    data: list[Any]


class Result(msgspec.Struct, frozen=True):
    """How the demonstration ended."""

    checks: list[Check]
    findings: list[StoredFinding]
    further: list[str]
    """Commands to look further."""

    @property
    def success(self) -> bool:
        return all(check.holds for check in self.checks)


class Demonstration:
    """One run.

    Args:
        folder: gets all data; made by the caller.
        seconds: wall time of the feed.
        accounts, hours, seed: of the simulated world.
        workers: worker processes.
        view: where to show it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        seconds: float,
        accounts: int,
        hours: int,
        seed: int,
        workers: int,
        view: View,
    ) -> None:
        self._config = write_settings(folder)
        self._settings: Settings = load(self._config)
        self._scenario = scenario(accounts, hours, seed, int(time.time() * 1000))
        self._seconds = seconds
        self._view = view
        self._stack = Stack(self._settings, self._config, workers, self._progress)
        self._average_per_s = 0.0
        self._listener: Listener
        self._feed: Feed

    async def run(self) -> Result:
        """Run it. Whatever happens, nothing that was started is left running.

        Raises:
            StillwatchError: a part did not start, or could not be kept running.
        """
        try:
            await self._stack.start()
            connection = self._stack.connection
            self._listener = Listener(connection, self._settings.bus.partitions)
            self._feed = Feed(connection, self._scenario, self._seconds, self._room)
            truth = self._feed.truth.campaigns.items()
            self._board.attackers = [Attacker(name, accounts) for name, accounts in truth]
            return await _while_running(
                self._present(), self._stack.watch(), self._listener.run(), self._keep_showing()
            )
        finally:
            self._board.events_per_s = self._average_per_s
            self._progress("stopping")
            await self._stack.stop()
            self._progress("stopped")

    @property
    def _board(self) -> Board:
        return self._view.board

    def _progress(self, phase: str) -> None:
        self._board.phase = phase
        self._view.show()

    def _room(self) -> bool:
        return self._board.lag < MOST_LAG

    async def _present(self) -> Result:
        """Feed, wait until all has arrived, judge."""
        begun = monotonic()
        self._progress("running")
        await self._feed.run()
        self._progress("settling")
        await self._settled()
        self._average_per_s = self._feed.sent / (monotonic() - begun)
        self._look()
        findings = await self._stored()
        leaked = {a.name: a.leaked for a in self._board.attackers if a.leaked is not None}
        checks = judge(
            self._feed.truth,
            findings,
            self._listener.alerts,
            sent=self._feed.sent,
            rows=await self._number(ROWS_SQL),
            windowed=await self._number(WINDOWED_SQL),
            leaked=leaked,
        )
        return Result(checks=checks, findings=findings, further=self._further(findings))

    async def _settled(self) -> None:
        """Wait until the store holds everything that was sent, and all that was said about it."""
        deadline = monotonic() + SETTLE_TIMEOUT_S
        quiet_since, said = monotonic(), 0
        while monotonic() < deadline:
            windowed = await self._number(WINDOWED_SQL)
            stored = {finding.finding_id for finding in await self._stored()}
            heard = set(self._listener.created)
            complete = windowed >= self._feed.sent and stored == heard == self._listener.alerts
            if not complete or self._listener.messages != said:
                quiet_since, said = monotonic(), self._listener.messages
            elif monotonic() - quiet_since >= QUIET_S:
                return
            await asyncio.sleep(0.5)

    async def _keep_showing(self) -> None:
        while True:
            self._look()
            self._view.show()
            await asyncio.sleep(REFRESH_S)

    def _look(self) -> None:
        """Bring the board up to date."""
        board, feed = self._board, self._feed
        statuses = read_statuses(self._settings.data_dir)
        board.progress, board.sent = feed.progress, feed.sent
        board.event_time_ms = feed.position_ms
        board.workers = len(statuses)
        board.handled = sum(status.events for status in statuses)
        board.events_per_s = sum(status.events_per_s for status in statuses)
        board.lag = max(0, feed.sent - board.handled)
        board.accounts = sum(status.accounts for status in statuses)
        board.open_findings = self._listener.open
        for attacker in board.attackers:
            attacker.answers = feed.answers(attacker.accounts)
            finding = self._listener.first_about(attacker.accounts)
            if finding is not None:
                attacker.detector = finding.detector
                attacker.leaked = feed.answers(attacker.accounts, round(finding.time.timestamp() * 1000))
                if len(attacker.accounts) > 1:
                    attacker.named = self._listener.named(attacker.accounts)

    async def _stored(self) -> list[StoredFinding]:
        return msgspec.convert((await self._ask(FINDINGS_SQL)).data, list[StoredFinding], strict=False)

    async def _number(self, sql: str) -> int:
        return int((await self._ask(sql)).data[0][0])

    async def _ask(self, sql: str) -> _Answer:
        """Ask the sink's SQL endpoint; it may just be restarting."""
        for _ in range(50):
            found = read_endpoint(self._settings.data_dir / "sink")
            if found is not None:
                try:
                    answer = await asyncio.to_thread(ask, *found, sql, "JSONCompact")
                    return msgspec.json.decode(answer.body, type=_Answer)
                except StoreUnavailable:
                    pass
                except Rejected as error:
                    raise Fatal(f"the store refused {sql!r}: {error}") from error
            await asyncio.sleep(0.2)
        raise Fatal("the sink's SQL endpoint does not answer")

    def _further(self, findings: list[StoredFinding]) -> list[str]:
        account = next((sorted(finding.accounts)[0] for finding in reversed(findings)), "ACCOUNT")
        config = shlex.quote(str(self._config))
        return [
            f"stillwatch sql --config {config} {_quoted(sql.replace('{account}', account))}"
            for sql in FURTHER_SQL
        ]


def _quoted(sql: str) -> str:
    """In double quotes: SQL's own are single ones."""
    return f'"{sql}"'


async def _while_running(work: Coroutine[Any, Any, T], *beside: Coroutine[Any, Any, Any]) -> T:
    """Result of `work`; what runs beside it is cancelled then, and ends it if it fails first."""
    main = asyncio.create_task(work)
    others = [asyncio.create_task(one) for one in beside]
    try:
        done, _ = await asyncio.wait((main, *others), return_when=asyncio.FIRST_COMPLETED)
        for task in done - {main}:
            task.result()  # raises: none of them ends by itself
        return await main
    finally:
        for task in (main, *others):
            task.cancel()
        await asyncio.gather(main, *others, return_exceptions=True)
