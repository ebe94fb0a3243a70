-- Each order once, with its amount in dollars, its customer's profile, tax and a fraud score.

-- The rate that was in force.
CREATE VIEW orders_at_rate AS
SELECT
  o.order_id, o.customer_id, o.items, o.total, o.currency, o.payment_method, o.order_time,
  r.rate_version, CAST(o.total * r.usd AS DECIMAL(14, 2)) AS total_usd, PROCTIME() AS proc_time
FROM orders AS o
LEFT JOIN currency_rates FOR SYSTEM_TIME AS OF o.received_at AS r ON o.currency = r.currency;

-- A client that got no answer sends its order again: the first one counts.
CREATE VIEW orders_once AS
SELECT order_id, customer_id, items, total, currency, payment_method, order_time, rate_version,
  total_usd, proc_time
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY order_id ORDER BY proc_time ASC) AS copy
  FROM orders_at_rate
) AS numbered
WHERE copy = 1;

-- The profile of a customer, a hash in Redis: HSET customer:c17 country DE account_age_days 412 …
CREATE TABLE customers (
  customer_id STRING,
  country STRING,
  account_age_days INT,
  lifetime_spend DOUBLE
) WITH (
  'connector' = 'redis',
  'url' = 'redis://127.0.0.1:6379/0',
  'key' = 'customer:{customer_id}',
  'lookup.cache' = 'PARTIAL',
  'lookup.partial-cache.max-rows' = '100000',
  'lookup.partial-cache.expire-after-write' = '10 s'
);

-- The model is asked in batches; fraud_model.py is an example of such a service.
CREATE FUNCTION fraud_score(amount DOUBLE, country STRING, account_age_days INT) RETURNS DOUBLE
  LANGUAGE HTTP AS 'http://127.0.0.1:9000/score';

-- What others read: the warehouse, the search index and the fraud desk.
CREATE TABLE orders_enriched (
  order_id STRING NOT NULL,
  customer_id STRING NOT NULL,
  country STRING NOT NULL,              -- '??' of a customer without a profile
  account_age_days INT,
  lifetime_spend DOUBLE,
  items INT,                            -- pieces
  total DECIMAL(12, 2),
  currency STRING,
  rate_version INT,
  total_usd DECIMAL(14, 2),
  tax_usd DECIMAL(14, 2),
  payment_method STRING,
  fraud_score DOUBLE,
  order_time TIMESTAMP(3) NOT NULL,
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'orders.enriched',
  'properties.bootstrap.servers' = 'kafka:9092',
  'scan.startup.mode' = 'earliest-offset',
  'scan.watermark.idle-timeout' = '1 s',
  'key.format' = 'raw',
  'key.fields' = 'order_id',
  'format' = 'json'
);

SET 'pipeline.name' = 'enrich';
SET 'table.exec.state.ttl' = '1 d';
INSERT INTO orders_enriched
SELECT
  o.order_id, o.customer_id, COALESCE(c.country, '??'), c.account_age_days, c.lifetime_spend,
  CARDINALITY(o.items), o.total, o.currency, o.rate_version, o.total_usd,
  CAST(o.total_usd * CASE c.country WHEN 'DE' THEN 0.19 WHEN 'FR' THEN 0.20 WHEN 'GB' THEN 0.20 ELSE 0 END
    AS DECIMAL(14, 2)),
  o.payment_method,
  fraud_score(CAST(o.total_usd AS DOUBLE), COALESCE(c.country, '??'), c.account_age_days),
  o.order_time
FROM orders_once AS o
LEFT JOIN customers FOR SYSTEM_TIME AS OF o.proc_time AS c ON o.customer_id = c.customer_id;
