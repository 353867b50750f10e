"""Identity of accounts: organisations, cards, devices, networks, clients. **Simulated throughout.**

There is no public data with real accounts, so every number here is ours. What matters is that innocent
accounts share things too: a household its card, a company its card and address range, a campus and a
mobile carrier one network for thousands, a VPN exit many strangers. Values are drawn as integers, so that
a million accounts stay small; `digests` turns them into what a gateway would send.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.simulation.habits import HABITS

Ints = NDArray[np.int64]

DAY_MS = 86_400_000
NOBODY = -1

COUNTRIES: tuple[tuple[str, int, float], ...] = (
    ("US", -6, 0.26), ("IN", 5, 0.13), ("DE", 1, 0.08), ("GB", 0, 0.07), ("BR", -3, 0.07), ("FR", 1, 0.06),
    ("JP", 9, 0.06), ("CA", -5, 0.04), ("ES", 1, 0.04), ("KR", 9, 0.04), ("NL", 1, 0.03), ("AU", 10, 0.03),
    ("MX", -6, 0.03), ("PL", 1, 0.03), ("ID", 7, 0.02), ("SG", 8, 0.01),
)  # fmt: skip
"""Country, hours from UTC, share of accounts."""

HOUSEHOLD_SHARE = 0.04
"""Individuals who share card, home network and sometimes a device with the individual before them."""
CAMPUS_SHARE = 0.05
"""Individuals behind the network of a campus; accounts to a campus: `CAMPUS_SIZE`."""
CAMPUS_SIZE = 400
CARRIER_SHARE = 0.25
"""Individuals behind a mobile carrier's address translation; accounts to an exit: `CARRIER_SIZE`."""
CARRIER_SIZE = 60
VPN_SHARE = 0.07
VPN_SIZE = 150
ORGANISATION_SIZE_TAIL = 1.6
"""Accounts of an organisation: P(size >= n) = n**-1.6."""
NEW_SHARE_PER_DAY = 0.004
"""Accounts that sign up on any one day before the start, as a share of all at the start: half of the
accounts are younger than six months."""

CONSUMER_ASNS, CLOUD_ASNS = 12, 9
"""Access providers to a country, and cloud providers in the world."""

FREE_MAIL, OWN_DOMAIN_SHARE = 10, 0.08
_BROWSERS = (
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/142", 0.48),
    ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Safari/605", 0.17),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_1) Safari/604", 0.13),
    ("Mozilla/5.0 (Linux; Android 16) Chrome/142", 0.13),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Firefox/145", 0.09),
)
_SDKS = (
    ("llm-sdk-python/2.8.1", 0.42),
    ("llm-sdk-node/5.3.0", 0.24),
    ("langkit/0.9.4 python-httpx/0.28", 0.1),
    ("node-fetch/3.3", 0.08),
    ("Go-http-client/2.0", 0.08),
    ("okhttp/5.1", 0.05),
    ("curl/8.9.1", 0.03),
)
CLIENTS: tuple[str, ...] = tuple(name for name, _ in _BROWSERS + _SDKS)


class Identities(NamedTuple):
    """Columns, one row per account. Equal integers are equal identities; `NOBODY` is none."""

    organisation: Ints
    payment: Ints
    device: Ints
    network: Ints
    asn: Ints
    country: Ints
    """Index into `COUNTRIES`."""
    client: Ints
    """Index into `CLIENTS`: user agent and TLS fingerprint."""
    email_domain: Ints
    created_ms: Ints
    verified: NDArray[np.bool_]


def digests(kind: str, seed: int, values: Ints) -> list[str]:
    """Digits of what a gateway sends in place of each value: keyed digests, stable within a simulation.

    >>> digests("payment", 0, np.array([7]))
    ['70712b2ecbf3ea98e24c4b148c81f695']
    """
    keyed = blake2b(key=f"{kind}/{seed}".encode(), digest_size=16)
    data, made = values.astype(">i8").tobytes(), []
    for at in range(0, len(data), 8):
        one = keyed.copy()
        one.update(data[at : at + 8])
        made.append(one.hexdigest())
    return made


def tls_fingerprint(client: int) -> str:
    """JA4-like fingerprint of a client program: everybody who runs it shares it."""
    digits = blake2b(CLIENTS[client].encode(), digest_size=12).hexdigest()
    return f"ja4:t13d1516h2_{digits[:12]}_{digits[12:]}"


def identities(habit: Ints, start_ms: int, end_ms: int, rng: np.random.Generator) -> Identities:
    """Identities of benign accounts with these habits (indices into `HABITS`).

    Accounts whose `created_ms` lies between `start_ms` and `end_ms` sign up while the simulation runs.
    """
    n = len(habit)
    rows = np.arange(n)
    operated = np.array([h.operator == "organisation" for h in HABITS])[habit]
    on_sdk = np.array([h.client == "sdk" for h in HABITS])[habit]

    organisation = np.full(n, NOBODY)
    company = np.flatnonzero(operated)
    sizes = np.floor(rng.random(len(company)) ** (-1 / ORGANISATION_SIZE_TAIL)).astype(int)
    organisation[company] = np.repeat(np.arange(len(company)), np.minimum(sizes, 200))[: len(company)]
    payment, device, network = rows.copy(), rows.copy(), rows.copy()
    payment[company] = n + organisation[company]
    network[company] = np.where(rng.random(len(company)) < 0.5, 2 * n + organisation[company], rows[company])

    individual = np.flatnonzero(~operated)
    place = rng.random(len(individual))
    bounds = np.cumsum([CAMPUS_SHARE, CARRIER_SHARE, VPN_SHARE])
    for number, low, high, accounts_each in (
        (3, 0.0, bounds[0], CAMPUS_SIZE),
        (4, bounds[0], bounds[1], CARRIER_SIZE),
        (5, bounds[1], bounds[2], VPN_SIZE),
    ):
        here = individual[(place >= low) & (place < high)]
        network[here] = number * n + rng.integers(0, max(len(here) // accounts_each, 1), len(here))
    kin = np.flatnonzero(rng.random(len(individual)) < HOUSEHOLD_SHARE)
    kin = kin[kin > 0]
    for column in (payment, network):
        column[individual[kin]] = column[individual[kin - 1]]
    same_device = kin[rng.random(len(kin)) < 0.3]
    device[individual[same_device]] = device[individual[same_device - 1]]

    # the address tells country and provider, so whoever shares a network shares these
    _, first, of_network = np.unique(network, return_index=True, return_inverse=True)
    country = rng.choice(len(COUNTRIES), n, p=[share for *_, share in COUNTRIES])[first][of_network]
    consumer = country * CONSUMER_ASNS + np.minimum(rng.geometric(0.25, n) - 1, CONSUMER_ASNS - 1)
    cloud = 10_000 + np.minimum(rng.geometric(0.35, n) - 1, CLOUD_ASNS - 1)
    browser = rng.choice(len(_BROWSERS), n, p=[share for _, share in _BROWSERS])
    sdk = len(_BROWSERS) + rng.choice(len(_SDKS), n, p=[share for _, share in _SDKS])
    own_domain = operated | (rng.random(n) < OWN_DOMAIN_SHARE)
    domain = np.where(own_domain, 1000 + np.where(operated, organisation, n + rows), 0)
    domain = np.where(own_domain, domain, np.minimum(rng.geometric(0.4, n) - 1, FREE_MAIL - 1))

    age_days = rng.exponential(1 / NEW_SHARE_PER_DAY, n)
    span_days = (end_ms - start_ms) / DAY_MS
    new = rng.random(n) < NEW_SHARE_PER_DAY * span_days
    created = start_ms - (age_days * DAY_MS).astype(np.int64)
    created[new] = start_ms + (rng.random(int(new.sum())) * (end_ms - start_ms)).astype(np.int64)
    return Identities(
        organisation=organisation,
        payment=payment,
        device=device,
        network=network,
        asn=np.where(operated, cloud, consumer)[first][of_network],
        country=country,
        client=np.where(on_sdk, sdk, browser),
        email_domain=domain,
        created_ms=created,
        verified=rng.random(n) < np.where(operated, 0.97, 0.8),
    )
