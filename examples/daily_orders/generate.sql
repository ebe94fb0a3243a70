-- A day's raw data in the lake: users, products, and `orders` orders of the day `date`. The same
-- variables give the same data. One user in a hundred and one product in fifty are unknown, and one
-- order in a thousand has no user.
COPY (
  SELECT id,
    ['DE', 'FR', 'GB', 'IT', 'JP', 'US', 'BR', 'IN', 'SE', 'PL'][(1 + hash(id, 'country') % 10)::INT] AS country,
    ['18-24', '25-34', '35-49', '50+'][(1 + hash(id, 'age') % 4)::INT] AS age_group
  FROM range(getvariable('users')::BIGINT) AS numbers(id)
  WHERE id % 100 <> 99
) TO 's3://data-lake/raw/users/users.parquet' (FORMAT parquet);

COPY (
  SELECT id, 'product ' || id AS name,
    ['books', 'garden', 'kitchen', 'music', 'sports', 'tools', 'toys', 'travel'][(1 + hash(id) % 8)::INT] AS category
  FROM range(2000) AS numbers(id)
  WHERE id % 50 <> 49
) TO 's3://data-lake/raw/products/products.parquet' (FORMAT parquet);

COPY (
  SELECT n AS order_id,
    CASE WHEN n % 1000 = 7 THEN NULL
         ELSE (hash(n, 'user', getvariable('date')) % getvariable('users')::UBIGINT)::BIGINT END AS user_id,
    (hash(n, 'product') % 2000)::BIGINT AS product_id,
    (1 + hash(n, 'quantity') % 5)::INTEGER AS quantity,
    ((100 + hash(n, 'price', getvariable('date')) % 50000) / 100)::DECIMAL(12, 2) AS total_price,
    getvariable('date')::TIMESTAMP + to_milliseconds((hash(n, 'time') % 86400000)::BIGINT) AS created_at
  FROM range(getvariable('orders')::BIGINT) AS numbers(n)
) TO ('s3://data-lake/raw/orders/date=' || getvariable('date') || '/orders.parquet') (FORMAT parquet);
