-- The three topics of the shop, and views that the jobs share.
--
-- Time: events may arrive up to 5 seconds out of order; what comes later than that, into a window
-- that is closed, goes to the dead letters. A partition without events for 2 seconds does not hold
-- the others back.
-- Quality: an event that breaks a NOT NULL or a CHECK is refused at the door with the reason, and
-- kept in the dead letters.

CREATE TABLE page_views (
  user_id STRING NOT NULL,
  session_id STRING,
  page_url STRING NOT NULL,
  product_id STRING,                    -- of product pages
  category STRING,                      -- of product and category pages
  country STRING NOT NULL,
  device STRING NOT NULL,
  user_agent STRING,
  event_time TIMESTAMP(3) NOT NULL,
  WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND,
  CONSTRAINT page_url_is_a_path CHECK (page_url LIKE '/%'),
  CONSTRAINT device_known CHECK (device IN ('desktop', 'mobile', 'tablet'))
) WITH (
  'connector' = 'kafka',
  'topic' = 'page-views',
  'properties.bootstrap.servers' = 'kafka:9092',
  'properties.group.id' = 'clickstream',
  'scan.startup.mode' = 'earliest-offset',
  'scan.watermark.idle-timeout' = '2 s',
  'key.format' = 'raw',
  'key.fields' = 'user_id',
  'format' = 'json'
);

CREATE TABLE add_to_cart (
  user_id STRING NOT NULL,
  session_id STRING,
  product_id STRING NOT NULL,
  category STRING NOT NULL,
  country STRING NOT NULL,
  device STRING NOT NULL,
  quantity INT NOT NULL,
  price DECIMAL(10, 2) NOT NULL,
  currency STRING NOT NULL,
  event_time TIMESTAMP(3) NOT NULL,
  WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND,
  CONSTRAINT quantity_positive CHECK (quantity > 0),
  CONSTRAINT price_not_negative CHECK (price >= 0),
  CONSTRAINT currency_known CHECK (currency IN ('USD', 'EUR', 'GBP', 'JPY', 'CNY'))
) WITH (
  'connector' = 'kafka',
  'topic' = 'add-to-cart',
  'properties.bootstrap.servers' = 'kafka:9092',
  'properties.group.id' = 'clickstream',
  'scan.startup.mode' = 'earliest-offset',
  'scan.watermark.idle-timeout' = '2 s',
  'key.format' = 'raw',
  'key.fields' = 'user_id',
  'format' = 'json'
);

CREATE TABLE purchases (
  order_id STRING NOT NULL,
  user_id STRING NOT NULL,
  session_id STRING,
  product_id STRING NOT NULL,
  category STRING NOT NULL,
  country STRING NOT NULL,
  device STRING NOT NULL,
  quantity INT NOT NULL,
  price DECIMAL(10, 2) NOT NULL,        -- of one piece, in `currency`
  currency STRING NOT NULL,
  event_time TIMESTAMP(3) NOT NULL,
  WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND,
  CONSTRAINT quantity_positive CHECK (quantity > 0),
  CONSTRAINT price_not_negative CHECK (price >= 0),
  CONSTRAINT currency_known CHECK (currency IN ('USD', 'EUR', 'GBP', 'JPY', 'CNY'))
) WITH (
  'connector' = 'kafka',
  'topic' = 'purchases',
  'properties.bootstrap.servers' = 'kafka:9092',
  'properties.group.id' = 'clickstream',
  'scan.startup.mode' = 'earliest-offset',
  'scan.watermark.idle-timeout' = '2 s',
  'key.format' = 'raw',
  'key.fields' = 'user_id',
  'format' = 'json'
);

-- Page views of people: crawlers name themselves.
CREATE VIEW human_views AS
SELECT *
FROM page_views
WHERE user_agent IS NULL OR NOT REGEXP(user_agent, '(?i)bot|crawl|spider');

-- Purchases with their amount in one currency, at fixed rates.
CREATE VIEW purchases_usd AS
SELECT
  *,
  CAST(quantity * price * CASE currency
    WHEN 'USD' THEN 1.0000
    WHEN 'EUR' THEN 1.0850
    WHEN 'GBP' THEN 1.2700
    WHEN 'JPY' THEN 0.0065
    WHEN 'CNY' THEN 0.1380
  END AS DECIMAL(14, 2)) AS amount_usd
FROM purchases;

-- The three streams as one, people only.
CREATE VIEW shop_events AS
SELECT CAST('page-view' AS STRING) AS event_type, user_id, product_id, category, country, device,
       CAST(NULL AS DECIMAL(14, 2)) AS amount_usd, event_time
FROM human_views
UNION ALL
SELECT CAST('add-to-cart' AS STRING), user_id, product_id, category, country, device,
       CAST(NULL AS DECIMAL(14, 2)), event_time
FROM add_to_cart
UNION ALL
SELECT CAST('purchase' AS STRING), user_id, product_id, category, country, device,
       amount_usd, event_time
FROM purchases_usd;
