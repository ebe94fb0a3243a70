-- Page views of people per minute, by page, country and device. Each window is written once, 5
-- seconds after its end by the clock of the events.

CREATE TABLE page_views_per_minute (
  window_start TIMESTAMP(3),
  window_end TIMESTAMP(3),
  page_url STRING,
  country STRING,
  device STRING,
  view_count BIGINT,
  unique_users BIGINT
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:postgresql://analytics-db:5432/metrics',
  'table-name' = 'page_views_per_minute'
);

INSERT INTO page_views_per_minute
SELECT
  window_start,
  window_end,
  page_url,
  country,
  device,
  COUNT(*) AS view_count,
  COUNT(DISTINCT user_id) AS unique_users
FROM TABLE(
  TUMBLE(TABLE human_views, DESCRIPTOR(event_time), INTERVAL '1' MINUTE)
)
GROUP BY window_start, window_end, page_url, country, device;
