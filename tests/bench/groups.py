"""What links and campaigns cost: ``python -m tests.bench.groups --json OUT``

Hours of evidence about made-up accounts, through one link plane and one campaign plane, decoded and encoded
as the fleet does. Shown by their unit: a record of evidence, an account, a link, a report. The crowd comes
with few requests and with many, which must cost the same by evidence, and with a campaign in it.
"""

from __future__ import annotations

import argparse
import json
import tracemalloc
from collections.abc import Mapping
from multiprocessing import get_context
from pathlib import Path
from time import process_time
from typing import Any

from rich.console import Console
from rich.table import Table

import agents  # noqa: F401 - keeps linear algebra to one thread, as in a worker, if it comes before NumPy
from schemas.evidence import (
    HourMark,
    LinkEvidence,
    LinkKind,
    decode_evidence,
    decode_told,
    encode_evidence,
    encode_report,
)
from streams.campaign_plane import CampaignPlane
from streams.config import DetectionConfig
from streams.link_plane import LinkPlane
from streams.spread import spread
from tests.evidence_world import START_HOUR, Crowd, World, hydra


def memory_bytes(plane: LinkPlane, changes: Mapping[bytes, bytes | None]) -> int:
    """Memory that a plane takes with this state."""
    tracemalloc.start()
    plane.restore(changes.items())
    plane.process([])
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size


def crowds(accounts: int, *, volume: float, campaign: bool) -> list[Crowd]:
    """People on shared networks, and maybe one operator with a hundredth of the accounts, on ten cards."""
    people = Crowd("people", accounts, log_volume=volume, share={LinkKind.NETWORK: accounts // 20})
    operator = hydra(max(accounts // 100, 30), begins=2, share={LinkKind.PAYMENT: 10})
    return [people, operator] if campaign else [people]


def measure(world: World) -> dict[str, Any]:
    """Costs of one world."""
    config = DetectionConfig()
    plane, campaigns = LinkPlane(config), CampaignPlane(config)
    seconds = dict.fromkeys(("spread", "decode", "link", "link_state", "campaign", "campaign_state"), 0.0)
    sent_bytes = evidence = reports = report_bytes = findings = 0
    stored: dict[bytes, bytes | None] = {}
    campaign_stored: dict[bytes, bytes | None] = {}
    written = 0

    def timed(name: str, since: float) -> float:
        now = process_time()
        seconds[name] += now - since
        return now

    for hour in range(START_HOUR, START_HOUR + world.hours):
        at = process_time()
        sent: list[tuple[bytes, bytes]] = []
        for account in world.by_hour.pop(hour, []):
            data = encode_evidence(account)
            sent += [(item.key, data) for item in spread(account)]
        at = timed("spread", at)
        evidence += len(sent)
        sent_bytes += sum(len(key) + len(value) for key, value in sent)
        at = process_time()
        items: list[LinkEvidence | HourMark] = []
        for key, data in sent:
            kind, value = key.rsplit(b":", 2)[1:]
            item = decode_evidence(data)
            assert not isinstance(item, HourMark)
            items.append(LinkEvidence(int(kind), int(value, 16), item))
        at = timed("decode", at)
        output = plane.process([*items, HourMark(0, hour)])
        at = timed("link", at)
        changes = plane.take_changes()
        at = timed("link_state", at)
        written += sum(len(key) + len(value or b"") for key, value in changes)
        stored.update(changes)
        told = [encode_report(report) for report in output.reports]
        reports, report_bytes = reports + len(told), report_bytes + sum(map(len, told))
        del sent, items, changes
        at = process_time()
        findings += len(campaigns.process([*map(decode_told, told), HourMark(0, hour)]).findings)
        at = timed("campaign", at)
        campaign_stored.update(campaigns.take_changes())
        timed("campaign_state", at)
    stats = plane.stats()

    def stored_bytes(of: Mapping[bytes, bytes | None], kind: bytes) -> int:
        return sum(len(value or b"") for key, value in of.items() if key[:1] == kind)

    members = sum(len(group.members) for group in campaigns.groups.values())
    return {
        "accounts": stats["accounts"],
        "links": stats["links"],
        "shared_links": sum(link.holding for link in plane.links.values()),
        "evidence": evidence,
        "requests": int(sum(counts.sum() for counts in world.answers.values())),
        "evidence_bytes": round(sent_bytes / evidence, 1),
        "us_per_evidence": {
            name: round(seconds[name] / evidence * 1e6, 2)
            for name in ("spread", "decode", "link", "link_state")
        },
        "changelog_bytes_per_evidence": round(written / evidence, 1),
        "stored_bytes_per_account": round(stored_bytes(stored, b"a") / stats["accounts"], 1),
        "stored_bytes_per_link": round(stored_bytes(stored, b"l") / stats["links"], 1),
        "memory_bytes_per_account": round(memory_bytes(LinkPlane(config), stored) / stats["accounts"]),
        "reports": reports,
        "findings": findings,
        "report_bytes": round(report_bytes / max(reports, 1)),
        "campaign_us_per_hour": round((seconds["campaign"] + seconds["campaign_state"]) / world.hours * 1e6),
        "campaigns": campaigns.opened,
        "stored_bytes_per_member": round(stored_bytes(campaign_stored, b"g") / max(members, 1), 1),
    }


def one(accounts: int, hours: int, volume: float, campaign: bool) -> dict[str, Any]:
    """Figures of one world, in a process of its own because of the memory."""
    return measure(World(crowds(accounts, volume=volume, campaign=campaign), hours))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--hours", type=int, default=16)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = {}
    for name, volume, campaign in (("quiet", 1.6, False), ("busy", 4.6, False), ("campaign", 1.6, True)):
        with get_context("spawn").Pool(1) as process:
            results[name] = process.apply(one, (options.accounts, options.hours, volume, campaign))
    table = Table("", *results)
    first = next(iter(results.values()))
    for key in first:
        values = [one[key] for one in results.values()]
        if isinstance(first[key], dict):
            for part in first[key]:
                table.add_row(f"{key}: {part}", *(f"{value[part]:,}" for value in values))
        else:
            table.add_row(key, *(f"{value:,}" for value in values))
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps({"accounts": options.accounts, "hours": options.hours, **results}))


if __name__ == "__main__":
    main()
