"""`schemas.partitioning` chooses as the Kafka clients do, so that replay and fleet split the same way."""

from __future__ import annotations

import aiokafka.partitioner
from hypothesis import given
from hypothesis import strategies as st

from schemas.partitioning import murmur2, partition_for


@given(st.binary(max_size=300))
def test_hash_equals_the_client_librarys(key: bytes) -> None:
    assert murmur2(key) == aiokafka.partitioner.murmur2(key)


@given(key=st.text(min_size=1).map(str.encode), partitions=st.integers(1, 1024))
def test_partition_equals_the_client_librarys(key: bytes, partitions: int) -> None:
    every = list(range(partitions))
    theirs = aiokafka.partitioner.DefaultPartitioner()(key, every, every)
    assert partition_for(key, partitions) == theirs


def test_every_partition_is_used() -> None:
    """Account keys spread: no partition has less than half, or more than twice, its share of accounts."""
    counts = [0] * 8
    for number in range(8000):
        counts[partition_for(f"default:account-{number}".encode(), 8)] += 1
    assert max(counts) < 2 * 1000
    assert min(counts) > 1000 / 2
