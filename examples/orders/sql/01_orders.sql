-- What comes in: orders of the shop, and the rates of currencies as they change.
--
-- Quality: an order that breaks a NOT NULL or a CHECK is refused at the door with the reason, and
-- kept in the dead letters, where `millrace dlq` can mend and replay it.
--
-- Time: an order counts with the rate that is in force when it is received, however late it comes;
-- order_time is when the customer placed it.

CREATE TABLE orders (
  order_id STRING NOT NULL,
  customer_id STRING NOT NULL,
  items ARRAY<ROW<sku STRING, quantity INT, price DECIMAL(10, 2)>>,
  total DECIMAL(12, 2) NOT NULL,        -- in `currency`
  currency STRING NOT NULL,
  payment_method STRING NOT NULL,
  order_time TIMESTAMP(3) NOT NULL,
  received_at TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
  WATERMARK FOR received_at AS received_at - INTERVAL '0.1' SECOND,
  CONSTRAINT order_id_well_formed CHECK (order_id LIKE 'ord\_%' ESCAPE '\'),
  CONSTRAINT total_positive CHECK (total > 0) ON VIOLATION DEAD LETTER,
  CONSTRAINT currency_known CHECK (currency IN ('USD', 'EUR', 'GBP', 'JPY', 'CNY')),
  CONSTRAINT payment_known CHECK (payment_method IN ('card', 'invoice', 'wallet')) ON VIOLATION WARN
) WITH (
  'connector' = 'kafka',
  'topic' = 'orders',
  'properties.bootstrap.servers' = 'kafka:9092',
  'properties.group.id' = 'orders',
  'scan.startup.mode' = 'earliest-offset',
  'scan.watermark.idle-timeout' = '1 s',
  'key.format' = 'raw',
  'key.fields' = 'customer_id',
  'format' = 'json'
);

-- One row per currency; each record is a new version of it.
CREATE TABLE currency_rates (
  currency STRING NOT NULL,
  usd DECIMAL(18, 8) NOT NULL,          -- what one unit is worth
  rate_version INT NOT NULL,
  received_at TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
  WATERMARK FOR received_at AS received_at - INTERVAL '0.1' SECOND,
  PRIMARY KEY (currency) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'currency-rates',
  'properties.bootstrap.servers' = 'kafka:9092',
  'scan.watermark.idle-timeout' = '1 s',
  'key.format' = 'raw',
  'value.format' = 'json'
);
