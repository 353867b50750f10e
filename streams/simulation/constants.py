"""What every request of an account carries, as the start of a JSON line, of many accounts at once.

Names and order as in `schemas.event.RequestEvent`; what an account lacks is left out.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from streams.simulation.habits import HABITS
from streams.simulation.identity import CLIENTS, COUNTRIES, NOBODY, digests, tls_fingerprint
from streams.simulation.population import Population
from streams.simulation.text_columns import TextBank, joined, texts, where

Ints = NDArray[np.int64]

KEPT_ACCOUNTS = 400_000
"""Described at most, about 650 bytes each and twice as much while they move: a few hours of a provider with a
million accounts."""


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


_EVERY_PLAN = (*(plan for habit in HABITS for plan in habit.plans), "pro")
"""Those of each habit, and attackers'."""
_FIRST_PLAN = np.array([*accumulate((len(habit.plans) for habit in HABITS), initial=0)])
"""Place of each habit's among them; of attackers, who have none, the last."""
_PLANS = texts(f'"account_plan":{_json(plan)},"account_verified":' for plan in _EVERY_PLAN)
_TRUTH = texts(["false,", "true,"])
_MILLISECONDS = texts(f'.{number:03}000Z",' if number else 'Z",' for number in range(1000))
_COUNTRIES = texts(f',"client_country":{_json(country)},' for country, *_ in COUNTRIES)
_CLIENTS = texts(
    f'"user_agent":{_json(client)},"tls_fingerprint":{_json(tls_fingerprint(number))},'
    for number, client in enumerate(CLIENTS)
)
_HAS_DEVICE = np.array([client.startswith("Mozilla") for client in CLIENTS])
"""A server has no device to fingerprint."""
_FIRST_ASN = 64_512


def described(population: Population, rows: Ints) -> pa.Array:
    """Of each row of the population, an object without its closing brace, with a comma at its end."""
    scenario, p, who = population.scenario, population, population.identity
    seed, n = scenario.seed, len(rows)
    second, millisecond = np.divmod(who.created_ms[rows], 1000)
    created = np.datetime_as_string(second.astype("M8[s]"))
    plan = _FIRST_PLAN[p.habit[rows]] + np.where(p.habit[rows] == NOBODY, 0, p.plan[rows])
    organisation, client = who.organisation[rows], who.client[rows]
    organised, device = organisation != NOBODY, _HAS_DEVICE[client]
    temperature, tools, limit = p.temperature[rows], p.tools[rows], p.max_tokens[rows]
    warmth, of_row = np.unique(temperature, return_inverse=True)
    warmths = texts("" if np.isnan(one) else f'"temperature":{_json(float(one))},' for one in warmth)
    return joined(
        f'{{"schema_version":1,"tenant_id":{_json(scenario.tenant_id)},"account_id":"',
        texts(map(p.account_id, rows.tolist())),
        '",',
        where(
            organised,
            '"organization_id":"org-',
            texts(f"{one:x}" for one in organisation[organised].tolist()),
            '",',
        ),
        '"credential_id":"',
        texts(one[:16] for one in digests("credential", seed, rows)),
        '","account_created_at":"',
        texts(created.tolist()),
        _MILLISECONDS.take(pa.array(millisecond)),
        _PLANS.take(pa.array(plan)),
        _TRUTH.take(pa.array(who.verified[rows].astype(np.int64))),
        '"payment_hash":"hmac-sha256:',
        texts(digests("payment", seed, who.payment[rows])),
        '","email_domain_hash":"hmac-sha256:',
        texts(digests("email_domain", seed, who.email_domain[rows])),
        '",',
        where(
            device,
            '"device_hash":"hmac-sha256:',
            texts(digests("device", seed, who.device[rows[device]])),
            '",',
        ),
        '"provider":"tern",',
        warmths.take(pa.array(of_row.reshape(n))),
        where(limit > 0, '"max_tokens":', limit[limit > 0], ","),
        where(tools > 0, '"tool_count":', tools[tools > 0], ","),
        '"client_network_hash":"hmac-sha256:',
        texts(digests("network", seed, who.network[rows])),
        '","client_asn":',
        _FIRST_ASN + who.asn[rows],
        _COUNTRIES.take(pa.array(who.country[rows])),
        _CLIENTS.take(pa.array(client)),
    )


class Constants:
    """The same, of accounts when they first ask; all anew when there are more than `KEPT_ACCOUNTS`."""

    def __init__(self, population: Population) -> None:
        self._population = population
        self._place = np.full(population.size, -1)
        self._bank = TextBank()

    def __len__(self) -> int:
        return len(self._bank)

    def of(self, account: Ints) -> tuple[pa.Array, Ints]:
        """Texts, and the place of each account among them."""
        if len(self._bank) > KEPT_ACCOUNTS:
            self._place[:] = -1
            self._bank = TextBank()
        new = np.unique(account[self._place[account] < 0])
        if len(new):
            self._place[new] = len(self._bank) + np.arange(len(new))
            self._bank.extend(described(self._population, new))
        return self._bank.all(), self._place[account]
