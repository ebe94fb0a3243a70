-- All events, bots too, as Parquet: lake/events/event_date=…/event_type=…/*.parquet. A file appears
-- whole or not at all, at most 30 seconds after its first event.

CREATE TABLE event_archive (
  event_time TIMESTAMP(3),
  user_id STRING,
  session_id STRING,
  page_url STRING,
  user_agent STRING,
  order_id STRING,
  product_id STRING,
  category STRING,
  country STRING,
  device STRING,
  quantity INT,
  price DECIMAL(10, 2),
  currency STRING,
  event_date STRING,
  event_type STRING
) PARTITIONED BY (event_date, event_type) WITH (
  'connector' = 'filesystem',
  'path' = 'lake/events',
  'format' = 'parquet',
  'sink.rolling-policy.rollover-interval' = '30 s'
);

INSERT INTO event_archive
SELECT event_time, user_id, session_id, page_url, user_agent, CAST(NULL AS STRING),
       product_id, category, country, device, CAST(NULL AS INT), CAST(NULL AS DECIMAL(10, 2)),
       CAST(NULL AS STRING), DATE_FORMAT(event_time, 'yyyy-MM-dd'), CAST('page-view' AS STRING)
FROM page_views
UNION ALL
SELECT event_time, user_id, session_id, CAST(NULL AS STRING), CAST(NULL AS STRING),
       CAST(NULL AS STRING), product_id, category, country, device, quantity, price,
       currency, DATE_FORMAT(event_time, 'yyyy-MM-dd'), CAST('add-to-cart' AS STRING)
FROM add_to_cart
UNION ALL
SELECT event_time, user_id, session_id, CAST(NULL AS STRING), CAST(NULL AS STRING),
       order_id, product_id, category, country, device, quantity, price,
       currency, DATE_FORMAT(event_time, 'yyyy-MM-dd'), CAST('purchase' AS STRING)
FROM purchases;
