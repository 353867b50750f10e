"""`LinkSample`: the accounts behind one link: how many, and a uniform sample of them.

A bottom-k sample (KMV) by hash of the account: whatever the order and repetition of what comes, the same k
accounts are kept; every account is as likely as any other; and the k-th smallest hash tells how many there
are. It is counter and sample in one. Two of them merge into the sample of the union.
Source: K. Beyer et al., "On synopses for distinct-value estimation under multiset operations", SIGMOD 2007;
E. Cohen, H. Kaplan, "Summarizing data using bottom-k sketches", PODC 2007.
"""

from __future__ import annotations

from bisect import bisect_left

import msgspec

SAMPLE_SIZE = 64
"""The error of the count is about 1 / sqrt(64), 12 %."""

WATCHED_SIZE = 50_000
"""Most accounts listed behind a watched link."""


class LinkSample(msgspec.Struct, array_like=True):
    """Accounts behind a link.

    >>> sample = LinkSample("t", 1, 7)
    >>> [sample.add(account) for account in (5, 3, 5)]
    [True, True, False]
    >>> sample.accounts, sample.size
    ([3, 5], 2.0)
    """

    tenant_id: str
    kind: int
    value: int
    accounts: list[int] = []
    """Smallest hashes, ascending."""
    full: bool = False
    """More accounts than `SAMPLE_SIZE` have been seen."""
    last_hour: int = 0
    holding: bool = False
    """It holds the summaries of its accounts."""
    watched: bool = False
    """It was suspicious once: from then on `others` lists the accounts beyond the sample."""
    others: list[int] = []

    def add(self, account: int) -> bool:
        """Take note of an account. True: it is in the sample, or on the list, and was not before."""
        accounts = self.accounts
        place = bisect_left(accounts, account)
        if place < len(accounts) and accounts[place] == account:
            return False
        if place < SAMPLE_SIZE:
            accounts.insert(place, account)
            return not self._unlist(account)
        self.full = True
        return self.watched and self._list(account)

    def overflow(self) -> int | None:
        """The account that has just been pushed out of the sample, if one was and nothing lists it."""
        if len(self.accounts) <= SAMPLE_SIZE:
            return None
        self.full = True
        pushed = self.accounts.pop()
        return None if self.watched and self._list(pushed) else pushed

    def drop(self, account: int) -> None:
        """Forget an account that has gone quiet."""
        place = bisect_left(self.accounts, account)
        if place < len(self.accounts) and self.accounts[place] == account:
            del self.accounts[place]
        else:
            self._unlist(account)

    def _list(self, account: int) -> bool:
        place = bisect_left(self.others, account)
        known = place < len(self.others) and self.others[place] == account
        if known or len(self.others) >= WATCHED_SIZE:
            return False
        self.others.insert(place, account)
        return True

    def _unlist(self, account: int) -> bool:
        place = bisect_left(self.others, account)
        known = place < len(self.others) and self.others[place] == account
        if known:
            del self.others[place]
        return known

    @property
    def all_accounts(self) -> list[int]:
        """Sample and list."""
        return [*self.accounts, *self.others]

    @property
    def size(self) -> float:
        """Estimate of the different accounts seen."""
        if not self.full or len(self.accounts) < SAMPLE_SIZE:
            return float(len(self.accounts))
        return (SAMPLE_SIZE - 1) / (self.accounts[-1] / 2.0**64)

    def merge(self, other: LinkSample) -> None:
        """Become the sample of both."""
        joint = sorted({*self.accounts, *other.accounts})
        self.full = self.full or other.full or len(joint) > SAMPLE_SIZE
        self.accounts = joint[:SAMPLE_SIZE]
        self.last_hour = max(self.last_hour, other.last_hour)
