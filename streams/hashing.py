"""64-bit hashes of identifiers: the same in every process, so that rows and links can hold them."""

from __future__ import annotations

from xxhash import xxh3_64_intdigest as digest

HASH_CACHE_ENTRIES = 65_536


def hash64(text: str, salt: int = 0) -> int:
    """64-bit hash of an identifier, the same in every process (XXH3)."""
    return digest(text.encode(), salt)


class HashCache:
    """Memoised 64-bit hash of short strings. Bounded: emptied when full, which only costs time."""

    def __init__(self, entries: int = HASH_CACHE_ENTRIES) -> None:
        self._entries = entries
        self._known: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        value = self._known.get(text)
        if value is None:
            if len(self._known) >= self._entries:
                self._known.clear()
            value = self._known[text] = hash64(text)
        return value
