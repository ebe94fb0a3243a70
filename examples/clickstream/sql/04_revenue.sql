-- Revenue per minute, by category and country, in US dollars.

CREATE TABLE revenue_per_minute (
  window_start TIMESTAMP(3),
  window_end TIMESTAMP(3),
  category STRING,
  country STRING,
  orders BIGINT,
  units BIGINT,
  revenue_usd DECIMAL(18, 2)
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:postgresql://analytics-db:5432/metrics',
  'table-name' = 'revenue_per_minute'
);

INSERT INTO revenue_per_minute
SELECT
  window_start,
  window_end,
  category,
  country,
  COUNT(DISTINCT order_id) AS orders,
  SUM(quantity) AS units,
  SUM(amount_usd) AS revenue_usd
FROM TABLE(
  TUMBLE(TABLE purchases_usd, DESCRIPTOR(event_time), INTERVAL '1' MINUTE)
)
GROUP BY window_start, window_end, category, country;
