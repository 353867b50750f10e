-- Closed windows of accounts. A window that late events opened again comes with a higher revision and replaces
-- the one before.
CREATE TABLE IF NOT EXISTS account_windows
(
    tenant_id LowCardinality(String),
    account_id String CODEC(ZSTD(1)),
    window_s UInt32 CODEC(T64, ZSTD(1)),
    window_start DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    revision UInt32 CODEC(T64, ZSTD(1)),
    requests UInt64 CODEC(T64, ZSTD(1)),
    failures UInt64 CODEC(T64, ZSTD(1)),
    input_tokens UInt64 CODEC(T64, ZSTD(1)),
    output_tokens UInt64 CODEC(T64, ZSTD(1)),
    scores Map(LowCardinality(String), Float32) CODEC(ZSTD(1)),
    stored_at DateTime('UTC') DEFAULT now('UTC') CODEC(Delta(4), ZSTD(1))
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toDate(window_start, 'UTC')
ORDER BY (tenant_id, account_id, window_s, window_start)
TTL stored_at + toIntervalDay(90)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;
