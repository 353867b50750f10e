-- For analysts of campaigns. Everything is asked by finding: WHERE finding_id = '...'.
--
-- Every campaign once, as last told.
CREATE VIEW IF NOT EXISTS campaigns_current AS
SELECT
    tenant_id, subject_id, finding_id, lifecycle, severity, raised_at, time AS told_at, first_seen, last_seen,
    member_count, event_count AS requests, leaked_count AS answers, p_value, confidence, summary, reasons,
    recommended_action, techniques, labels['merged_into'] AS merged_into, verdict
FROM findings_current
WHERE subject_kind = 'campaign';

-- Members of campaigns, by the latest message of each, without any activity.
CREATE VIEW IF NOT EXISTS campaign_members AS
SELECT tenant_id, finding_id, account_id, first_named
FROM finding_members_current
WHERE (tenant_id, finding_id) IN (SELECT tenant_id, finding_id FROM findings WHERE subject_kind = 'campaign');

-- What each member did in each hour. Answers are requests that were answered.
CREATE VIEW IF NOT EXISTS campaign_activity AS
SELECT
    member.tenant_id AS tenant_id,
    member.finding_id AS finding_id,
    member.account_id AS account_id,
    toStartOfHour(toDateTime(request.time, 'UTC')) AS hour,
    count() AS requests,
    countIf(request.status = 'success') AS answers,
    sum(request.output_tokens) AS output_tokens
FROM
(
    SELECT tenant_id, account_id, time, status, output_tokens
    FROM requests FINAL
    WHERE (tenant_id, account_id) IN (SELECT tenant_id, account_id FROM campaign_members)
) AS request
INNER JOIN campaign_members AS member
    ON request.tenant_id = member.tenant_id AND request.account_id = member.account_id
GROUP BY tenant_id, finding_id, account_id, hour;

-- The same, all members together.
CREATE VIEW IF NOT EXISTS campaign_hours AS
SELECT
    tenant_id, finding_id, hour,
    count() AS accounts, sum(requests) AS requests, sum(answers) AS answers, sum(output_tokens) AS output_tokens
FROM campaign_activity
GROUP BY tenant_id, finding_id, hour;

-- Each member behind each value of each kind of link. Values are those of `link_hours` and `template_hours`.
CREATE VIEW IF NOT EXISTS campaign_member_links AS
SELECT DISTINCT
    member.tenant_id AS tenant_id,
    member.finding_id AS finding_id,
    member.account_id AS account_id,
    request.kind AS kind,
    request.value AS value
FROM
(
    SELECT DISTINCT tenant_id, account_id, link.1 AS kind, link.2 AS value
    FROM requests
    ARRAY JOIN
        [
            ('payment', payment_hash),
            ('device', device_hash),
            ('network', client_network_hash),
            ('email_domain', email_domain_hash),
            ('template', template_hash),
            ('system_prompt', system_hash)
        ] AS link
    WHERE value != 0 AND (tenant_id, account_id) IN (SELECT tenant_id, account_id FROM campaign_members)
) AS request
INNER JOIN campaign_members AS member
    ON request.tenant_id = member.tenant_id AND request.account_id = member.account_id;

-- What ties the members: how many of them are behind each value, beside all accounts behind it.
-- `accounts` is an estimate, 0 where no rollup counts the kind (system prompts).
CREATE VIEW IF NOT EXISTS campaign_links AS
SELECT
    tied.tenant_id AS tenant_id,
    tied.finding_id AS finding_id,
    tied.kind AS kind,
    tied.value AS value,
    tied.members AS members,
    ifNull(spread.account_count, 0) AS accounts
FROM
(
    SELECT tenant_id, finding_id, kind, value, uniqExact(account_id) AS members
    FROM campaign_member_links
    GROUP BY tenant_id, finding_id, kind, value
    HAVING members > 1
) AS tied
LEFT JOIN
(
    SELECT tenant_id, toString(kind) AS kind, value, account_count FROM link_spread
    UNION ALL
    SELECT tenant_id, 'template' AS kind, template_hash AS value, max(account_count) AS account_count
    FROM template_spread
    GROUP BY tenant_id, value
) AS spread
    ON tied.tenant_id = spread.tenant_id AND tied.kind = spread.kind AND tied.value = spread.value;
