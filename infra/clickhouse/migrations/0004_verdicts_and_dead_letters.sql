-- What analysts said. The latest word on an id counts (version: offset on the control topic, which has one
-- partition); a verdict taken back leaves a row that FINAL leaves out.
CREATE TABLE IF NOT EXISTS verdicts
(
    id String,
    finding_id String,
    verdict LowCardinality(String),
    subject_id String,
    analyst String,
    note String,
    time DateTime64(3, 'UTC'),
    version UInt64,
    withdrawn UInt8,
    stored_at DateTime('UTC') DEFAULT now('UTC')
)
ENGINE = ReplacingMergeTree(version, withdrawn)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

-- Records that could not be used, with their original bytes.
CREATE TABLE IF NOT EXISTS dead_letters
(
    origin_topic LowCardinality(String),
    origin_partition UInt32,
    origin_offset UInt64,
    stage LowCardinality(String),
    error LowCardinality(String),
    field String,
    reason String,
    time Nullable(DateTime64(3, 'UTC')) COMMENT 'broker timestamp of the original; unknown from a file',
    payload String CODEC(ZSTD(3)),
    payload_bytes UInt64 COMMENT 'size of the original before it was cut',
    stored_at DateTime('UTC') DEFAULT now('UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (origin_topic, origin_partition, origin_offset, stage)
TTL stored_at + toIntervalDay(90)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;
