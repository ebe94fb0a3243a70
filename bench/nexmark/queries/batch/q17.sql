SELECT auction, strftime(dateTime, '%Y-%m-%d'),
  count(*),
  count(*) FILTER (WHERE price < 10000),
  count(*) FILTER (WHERE price >= 10000 AND price < 1000000),
  count(*) FILTER (WHERE price >= 1000000),
  min(price), max(price), (sum(price) // count(*))::BIGINT, sum(price)::BIGINT
FROM bid
GROUP BY 1, 2
