WITH winning AS (
  SELECT a.id, a.seller, b.price, b.dateTime
  FROM auction AS a JOIN bid AS b ON a.id = b.auction
  WHERE b.dateTime BETWEEN a.dateTime AND a.expires
  QUALIFY row_number() OVER (PARTITION BY a.id, a.seller ORDER BY b.price DESC, b.dateTime) = 1)
SELECT seller, (sum(price) OVER last_ten // count(*) OVER last_ten)::BIGINT
FROM winning
WINDOW last_ten AS (
  PARTITION BY seller ORDER BY dateTime, id ROWS BETWEEN 9 PRECEDING AND CURRENT ROW)
