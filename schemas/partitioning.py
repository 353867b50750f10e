"""Which partition a key belongs to: Kafka's own default partitioner.

Replay splits a file over the same partitions as the fleet, so that per-partition state (cohort
baselines, watermarks) is the same in both.
"""

from __future__ import annotations

_M = 0x5BD1E995
_SEED = 0x9747B28C
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """MurmurHash2, 32 bit, as in Kafka's ``org.apache.kafka.common.utils.Utils.murmur2`` (unsigned).

    Source: A. Appleby, MurmurHash2; seed and constants as in the Kafka client.

    >>> murmur2(b"21") == (-973932308) & 0xFFFFFFFF    # vector from Kafka's own UtilsTest
    True
    """
    length = len(data)
    h = (_SEED ^ length) & _MASK
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little")
        k = k * _M & _MASK
        k ^= k >> 24
        k = k * _M & _MASK
        h = h * _M & _MASK
        h ^= k
    rest = length & 3
    if rest:
        h ^= int.from_bytes(data[whole:], "little")
        h = h * _M & _MASK
    h ^= h >> 13
    h = h * _M & _MASK
    h ^= h >> 15
    return h


def partition_for(key: bytes, partitions: int) -> int:
    """Partition of `key` among `partitions`, as Kafka's default partitioner chooses it.

    >>> partition_for(b"default:acct-1", 8) in range(8)
    True
    """
    return (murmur2(key) & 0x7FFFFFFF) % partitions
