-- Few rows, kept for ever, each of them somebody's evidence: written through to the disk before the ack.
--
-- One row per lifecycle message (create, update, close).
CREATE TABLE IF NOT EXISTS findings
(
    tenant_id LowCardinality(String),
    finding_id String,
    sequence UInt32,
    lifecycle LowCardinality(String),
    time DateTime64(3, 'UTC') COMMENT 'event time at which the message was raised',
    detector LowCardinality(String),
    detector_version LowCardinality(String),
    subject_kind LowCardinality(String),
    subject_id String,
    member_count UInt64,
    severity Enum8('informational' = 1, 'low' = 2, 'medium' = 3, 'high' = 4, 'critical' = 5),
    p_value Float64,
    confidence Float64,
    event_count UInt64,
    leaked_count UInt64,
    first_seen DateTime64(3, 'UTC'),
    last_seen DateTime64(3, 'UTC'),
    title String,
    summary String,
    reasons Array(String),
    features Nested
    (
        name LowCardinality(String),
        value Float64,
        baseline Float64,
        contribution Float64,
        unit LowCardinality(String)
    ),
    sample_event_ids Array(String),
    models Array(LowCardinality(String)),
    techniques Array(LowCardinality(String)) COMMENT 'MITRE ATLAS',
    runbook Array(String),
    false_positives Array(String),
    recommended_action LowCardinality(String),
    suppressed_by String,
    labels Map(LowCardinality(String), String),
    stored_at DateTime('UTC') DEFAULT now('UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (tenant_id, finding_id, sequence)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

-- Every account a finding has ever named. A later message of the finding names its members again, so a row
-- remembers by which message an account was named first and last; all of it survives being told twice.
CREATE TABLE IF NOT EXISTS finding_members
(
    tenant_id LowCardinality(String),
    finding_id String,
    account_id String,
    first_named SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    last_named SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    last_sequence SimpleAggregateFunction(max, UInt32)
)
ENGINE = AggregatingMergeTree
ORDER BY (tenant_id, finding_id, account_id)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
