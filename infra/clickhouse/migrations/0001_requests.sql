-- One row per API call. A call is known by (tenant_id, account_id, time, event_id): a second delivery of the
-- same call collapses into one row, at once in `requests_current` and on disk when parts merge.
--
-- *_hash columns: xxh3 of the event's digest text, 0 where it had none. To look one up:
--   WHERE template_hash = xxh3('hmac-sha256:...')
-- Content is never here, only keyed fingerprints; those with different fingerprint_id must not be compared.
-- The feature vector (prompt_embedding) is left out on purpose: it tells the most, and nothing here needs it.
CREATE TABLE IF NOT EXISTS requests
(
    tenant_id LowCardinality(String),
    account_id String CODEC(ZSTD(1)),
    time DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    event_id String CODEC(ZSTD(1)),
    source LowCardinality(String),

    organization_id String CODEC(ZSTD(1)),
    credential_id String CODEC(ZSTD(1)),
    end_user_id String CODEC(ZSTD(1)),
    conversation_id String CODEC(ZSTD(1)),
    account_created_at Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    account_plan LowCardinality(String),
    account_verified Nullable(Bool),
    payment_hash UInt64 CODEC(ZSTD(1)),
    email_domain_hash UInt64 CODEC(ZSTD(1)),
    device_hash UInt64 CODEC(ZSTD(1)),

    operation LowCardinality(String),
    provider LowCardinality(String),
    request_model LowCardinality(String),
    response_model LowCardinality(String),
    stream Nullable(Bool),
    temperature Nullable(Float32) CODEC(ZSTD(1)),
    top_p Nullable(Float32) CODEC(ZSTD(1)),
    top_k Nullable(Float32) CODEC(ZSTD(1)),
    max_tokens Nullable(UInt64) CODEC(T64, ZSTD(1)),
    choice_count Nullable(UInt64) CODEC(T64, ZSTD(1)),
    seed Nullable(Int64) CODEC(T64, ZSTD(1)),
    logprobs Nullable(Bool),
    tool_count Nullable(UInt64) CODEC(T64, ZSTD(1)),
    message_count Nullable(UInt64) CODEC(T64, ZSTD(1)),

    input_tokens UInt64 CODEC(T64, ZSTD(1)),
    output_tokens UInt64 CODEC(T64, ZSTD(1)),
    cache_read_input_tokens UInt64 CODEC(T64, ZSTD(1)),
    cache_creation_input_tokens UInt64 CODEC(T64, ZSTD(1)),
    reasoning_output_tokens UInt64 CODEC(T64, ZSTD(1)),
    cost_usd Nullable(Float64) CODEC(ZSTD(1)),
    status LowCardinality(String),
    http_status UInt16 CODEC(ZSTD(1)),
    error_type LowCardinality(String),
    finish_reasons Array(LowCardinality(String)),
    duration_s Nullable(Float32) CODEC(ZSTD(1)),
    time_to_first_chunk_s Nullable(Float32) CODEC(ZSTD(1)),

    client_address IPv6 COMMENT 'IPv4 as ::ffff:a.b.c.d; :: where unknown or cut off' CODEC(ZSTD(1)),
    client_network_hash UInt64 CODEC(ZSTD(1)),
    client_asn UInt64 CODEC(T64, ZSTD(1)),
    client_country LowCardinality(String),
    user_agent String CODEC(ZSTD(1)),
    tls_fingerprint LowCardinality(String),
    header_order_hash UInt64 CODEC(ZSTD(1)),

    fingerprint_id LowCardinality(String),
    prompt_hash UInt64 CODEC(NONE),
    template_hash UInt64 CODEC(ZSTD(1)),
    template_tail_hash UInt64 CODEC(ZSTD(1)),
    system_hash UInt64 CODEC(ZSTD(1)),
    prompt_simhash UInt64 COMMENT 'the 64 bits themselves: compare with bitHammingDistance' CODEC(NONE),
    prompt_minhash Array(UInt64) COMMENT 'bottom-k sketch, ascending' CODEC(NONE),
    prompt_topic LowCardinality(String),
    prompt_language LowCardinality(String),
    prompt_chars Nullable(UInt64) CODEC(T64, ZSTD(1)),
    reasoning_elicitation Nullable(Float32) CODEC(ZSTD(1)),
    response_hash UInt64 CODEC(ZSTD(1)),

    labels Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    stored_at DateTime('UTC') DEFAULT now('UTC') CODEC(Delta(4), ZSTD(1)),

    INDEX template_hash_bloom template_hash TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX prompt_simhash_bloom prompt_simhash TYPE bloom_filter(0.01) GRANULARITY 1,
    -- The range of the partition key's type; outside it a day would wrap around into another one.
    CONSTRAINT time_has_a_day CHECK time >= toDateTime64('1970-01-02 00:00:00', 3, 'UTC')
                                AND time < toDateTime64('2149-06-06 00:00:00', 3, 'UTC')
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(time, 'UTC')
ORDER BY (tenant_id, account_id, time, event_id)
TTL stored_at + toIntervalDay(30)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;
