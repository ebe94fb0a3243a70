-- Totals since the start. No window, so every event changes its row at once: within a second it is
-- on the page. The key tells the sink which row to replace.

CREATE TABLE live_totals (
  category STRING NOT NULL,
  country STRING NOT NULL,
  device STRING NOT NULL,
  page_views BIGINT,
  carts BIGINT,
  orders BIGINT,
  revenue_usd DECIMAL(18, 2),
  last_event TIMESTAMP(3),
  PRIMARY KEY (category, country, device) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:postgresql://analytics-db:5432/metrics',
  'table-name' = 'live_totals'
);

INSERT INTO live_totals
SELECT
  COALESCE(category, 'none') AS category,
  country,
  device,
  COUNT(CASE WHEN event_type = 'page-view' THEN 1 END) AS page_views,
  COUNT(CASE WHEN event_type = 'add-to-cart' THEN 1 END) AS carts,
  COUNT(CASE WHEN event_type = 'purchase' THEN 1 END) AS orders,
  COALESCE(SUM(amount_usd), 0) AS revenue_usd,
  MAX(event_time) AS last_event
FROM shop_events
GROUP BY COALESCE(category, 'none'), country, device;
