-- A change that no old reader would survive: user ids became text, the amount is in cents, and there
-- is more than one currency. So there are two topics, one for each version, and producers move from
-- the first to the second when they can. Whoever reads, reads the view.
CREATE TABLE events_v1 (
  event_id STRING NOT NULL,
  user_id BIGINT,
  amount DOUBLE,                               -- euros
  event_time TIMESTAMP(3) NOT NULL,
  WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'events-v1',
  'properties.bootstrap.servers' = 'kafka:9092',
  'scan.startup.mode' = 'earliest-offset',
  'scan.watermark.idle-timeout' = '1 s',       -- nobody may write this version any more
  'format' = 'json'
);

CREATE TABLE events_v2 (
  event_id STRING NOT NULL,
  user_id STRING,
  amount_cents BIGINT,
  currency STRING,
  event_time TIMESTAMP(3) NOT NULL,
  WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'events-v2',
  'properties.bootstrap.servers' = 'kafka:9092',
  'scan.startup.mode' = 'earliest-offset',
  'scan.watermark.idle-timeout' = '1 s',
  'format' = 'json'
);

-- The migration view: what version 1 means, in the words of version 2.
CREATE VIEW events AS
SELECT
  event_id,
  CAST(user_id AS STRING) AS user_id,
  CAST(ROUND(amount * 100) AS BIGINT) AS amount_cents,
  'EUR' AS currency,
  event_time
FROM events_v1
UNION ALL
SELECT event_id, user_id, amount_cents, currency, event_time FROM events_v2;

CREATE TABLE revenue_per_minute (
  window_start TIMESTAMP(3),
  currency STRING,
  cents BIGINT,
  events BIGINT,
  users BIGINT
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:postgresql://analytics-db:5432/metrics',
  'table-name' = 'revenue_per_minute'
);

INSERT INTO revenue_per_minute
SELECT window_start, currency, SUM(amount_cents), COUNT(*), COUNT(DISTINCT user_id)
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(event_time), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, currency;
