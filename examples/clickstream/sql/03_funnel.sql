-- The funnel: product view -> cart -> purchase.
--
-- 1. funnel_per_minute: who did what in each minute. Simple and prompt: complete 5 seconds after
--    the minute. Its rates compare the people of one minute; whoever looks at 10:00 and buys at 10:03
--    counts as a viewer there and as a buyer here.
-- 2. view_conversion: what became of the views of each minute. A view counts as converted when the
--    same person buys the same product within 10 minutes of it; so a minute is complete, and
--    written, 10 minutes after it.

CREATE TABLE funnel_per_minute (
  window_start TIMESTAMP(3),
  window_end TIMESTAMP(3),
  category STRING,
  country STRING,
  device STRING,
  viewers BIGINT,
  cart_users BIGINT,
  buyers BIGINT,
  view_to_cart DOUBLE,                  -- cart_users / viewers; NULL without viewers
  cart_to_purchase DOUBLE,
  view_to_purchase DOUBLE
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:postgresql://analytics-db:5432/metrics',
  'table-name' = 'funnel_per_minute'
);

INSERT INTO funnel_per_minute
SELECT
  window_start,
  window_end,
  category,
  country,
  device,
  viewers,
  cart_users,
  buyers,
  CAST(cart_users AS DOUBLE) / NULLIF(viewers, 0) AS view_to_cart,
  CAST(buyers AS DOUBLE) / NULLIF(cart_users, 0) AS cart_to_purchase,
  CAST(buyers AS DOUBLE) / NULLIF(viewers, 0) AS view_to_purchase
FROM (
  SELECT
    window_start,
    window_end,
    category,
    country,
    device,
    COUNT(DISTINCT CASE WHEN event_type = 'page-view' THEN user_id END) AS viewers,
    COUNT(DISTINCT CASE WHEN event_type = 'add-to-cart' THEN user_id END) AS cart_users,
    COUNT(DISTINCT CASE WHEN event_type = 'purchase' THEN user_id END) AS buyers
  FROM TABLE(
    TUMBLE(TABLE shop_events, DESCRIPTOR(event_time), INTERVAL '1' MINUTE)
  )
  WHERE product_id IS NOT NULL
  GROUP BY window_start, window_end, category, country, device
);

-- Every product view with the purchases that followed it; alone (order_id NULL) when none did.
CREATE VIEW view_outcomes AS
SELECT
  v.event_time AS view_time,
  v.user_id,
  v.product_id,
  v.category,
  v.country,
  v.device,
  p.order_id
FROM (
  SELECT user_id, product_id, category, country, device, event_time
  FROM human_views
  WHERE product_id IS NOT NULL
) AS v
LEFT JOIN purchases AS p
  ON v.user_id = p.user_id
  AND v.product_id = p.product_id
  AND p.event_time BETWEEN v.event_time AND v.event_time + INTERVAL '10' MINUTE;

CREATE TABLE view_conversion (
  window_start TIMESTAMP(3),
  window_end TIMESTAMP(3),
  category STRING,
  country STRING,
  device STRING,
  viewed BIGINT,                        -- pairs of person and product
  bought BIGINT,
  conversion DOUBLE
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:postgresql://analytics-db:5432/metrics',
  'table-name' = 'view_conversion'
);

INSERT INTO view_conversion
SELECT
  window_start,
  window_end,
  category,
  country,
  device,
  viewed,
  bought,
  CAST(bought AS DOUBLE) / viewed AS conversion
FROM (
  SELECT
    window_start,
    window_end,
    category,
    country,
    device,
    COUNT(DISTINCT user_id || '/' || product_id) AS viewed,
    COUNT(DISTINCT CASE WHEN order_id IS NOT NULL THEN user_id || '/' || product_id END) AS bought
  FROM TABLE(
    TUMBLE(TABLE view_outcomes, DESCRIPTOR(view_time), INTERVAL '1' MINUTE)
  )
  GROUP BY window_start, window_end, category, country, device
);
