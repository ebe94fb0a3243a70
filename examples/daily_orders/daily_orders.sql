-- Sales of one day per country and category: to the lake, and to the reporting database.
--
-- The Spark job that this stands for drops user_id in its select and then counts it; what it means is
-- the number of different buyers, which is what this computes.
CREATE TEMP TABLE daily_sales AS
SELECT users.country, products.category,
  count(orders.order_id) AS order_count,
  sum(orders.total_price) AS total_revenue,
  avg(orders.total_price) AS avg_order_value,
  count(DISTINCT orders.user_id) AS unique_buyers
FROM read_parquet('s3://data-lake/raw/orders/date=' || getvariable('date') || '/*.parquet') AS orders
LEFT JOIN read_parquet('s3://data-lake/raw/users/*.parquet') AS users ON orders.user_id = users.id
LEFT JOIN read_parquet('s3://data-lake/raw/products/*.parquet') AS products ON orders.product_id = products.id
GROUP BY users.country, products.category
ORDER BY total_revenue DESC;

COPY daily_sales TO ('s3://data-lake/curated/daily_sales/date=' || getvariable('date'))
  (FORMAT parquet, PARTITION_BY (country), OVERWRITE);

CREATE TABLE IF NOT EXISTS reporting.daily_sales (
  date DATE, country VARCHAR, category VARCHAR, order_count BIGINT, total_revenue DECIMAL(18, 2),
  avg_order_value DOUBLE, unique_buyers BIGINT);

INSERT INTO reporting.daily_sales
SELECT getvariable('date')::DATE, country, category, order_count, total_revenue, avg_order_value, unique_buyers
FROM daily_sales;
