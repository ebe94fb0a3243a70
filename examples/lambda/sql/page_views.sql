-- What both layers read: every view of a page, kept for a year.
CREATE TABLE page_views (
  url STRING NOT NULL,
  user_id STRING,
  viewed_at TIMESTAMP(3) NOT NULL,
  WATERMARK FOR viewed_at AS viewed_at - INTERVAL '5' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'page-views',
  'properties.bootstrap.servers' = 'kafka:9092',
  'scan.startup.mode' = 'earliest-offset',
  'scan.watermark.idle-timeout' = '1 s',
  'key.format' = 'raw',
  'key.fields' = 'url',
  'format' = 'json'
);
