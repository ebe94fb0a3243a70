-- Three readers of orders.enriched. Each has its own position, pace and failures: while one of the
-- servers is down, its job waits and the others go on.

-- The warehouse: a table of PostgreSQL.
CREATE TABLE warehouse_orders (
  order_id STRING NOT NULL,
  customer_id STRING,
  country STRING,
  items INT,
  total DECIMAL(12, 2),
  currency STRING,
  rate_version INT,
  total_usd DECIMAL(14, 2),
  tax_usd DECIMAL(14, 2),
  payment_method STRING,
  fraud_score DOUBLE,
  order_time TIMESTAMP(3),
  PRIMARY KEY (order_id) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:postgresql://127.0.0.1:5432/postgres',
  'username' = 'postgres',
  'table-name' = 'orders'
);

SET 'pipeline.name' = 'to_warehouse';
INSERT INTO warehouse_orders
SELECT order_id, customer_id, country, items, total, currency, rate_version, total_usd, tax_usd,
  payment_method, fraud_score, order_time
FROM orders_enriched;

-- The search index: a document per order, its id the order's.
CREATE TABLE order_search (
  order_id STRING NOT NULL,
  customer_id STRING,
  country STRING,
  payment_method STRING,
  total_usd DOUBLE,
  fraud_score DOUBLE,
  order_time TIMESTAMP(3),
  PRIMARY KEY (order_id) NOT ENFORCED
) WITH (
  'connector' = 'opensearch',
  'hosts' = 'http://127.0.0.1:9200',
  'index' = 'orders',
  'json.timestamp-format.standard' = 'ISO-8601'
);

SET 'pipeline.name' = 'to_search';
INSERT INTO order_search
SELECT order_id, customer_id, country, payment_method, CAST(total_usd AS DOUBLE), fraud_score,
  order_time
FROM orders_enriched;

-- The fraud desk: what a person should look at, and how much of it there is.
CREATE TABLE suspicious_orders (
  order_id STRING NOT NULL,
  customer_id STRING,
  country STRING,
  account_age_days INT,
  total_usd DECIMAL(14, 2),
  fraud_score DOUBLE,
  order_time TIMESTAMP(3),
  PRIMARY KEY (order_id) NOT ENFORCED
) WITH ('connector' = 'warehouse');

SET 'pipeline.name' = 'fraud_desk';
INSERT INTO suspicious_orders
SELECT order_id, customer_id, country, account_age_days, total_usd, fraud_score, order_time
FROM orders_enriched
WHERE fraud_score > 0.5;

-- An order that comes late, or was mended, corrects its minute.
CREATE TABLE orders_per_minute (
  window_start TIMESTAMP(3) NOT NULL,
  country STRING NOT NULL,
  orders BIGINT,
  suspicious BIGINT,
  revenue_usd DECIMAL(38, 2),
  tax_usd DECIMAL(38, 2),
  highest_score DOUBLE,
  PRIMARY KEY (window_start, country) NOT ENFORCED
) WITH ('connector' = 'warehouse');

SET 'pipeline.name' = 'orders_per_minute';
SET 'millrace.late-rows' = 'update';
SET 'millrace.allowed-lateness' = '1 d';
INSERT INTO orders_per_minute
SELECT window_start, country, COUNT(*), COUNT(*) FILTER (WHERE fraud_score > 0.5), SUM(total_usd),
  SUM(tax_usd), MAX(fraud_score)
FROM TABLE(TUMBLE(TABLE orders_enriched, DESCRIPTOR(order_time), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, country;
