-- Average selling price of a seller's last 10 auctions. Flink refuses OVER on winning bids that may
-- still change; auctions that were won in the same millisecond count in the order of their ids.
CREATE TABLE q6 (seller BIGINT, price BIGINT) WITH (${SINK});

INSERT INTO q6
SELECT seller, AVG(price) OVER (
  PARTITION BY seller ORDER BY `dateTime`, id ROWS BETWEEN 9 PRECEDING AND CURRENT ROW)
FROM (
  SELECT a.id, a.seller, b.price, b.`dateTime`,
    ROW_NUMBER() OVER (PARTITION BY a.id, a.seller ORDER BY b.price DESC, b.`dateTime`) AS place
  FROM auction AS a JOIN bid AS b ON a.id = b.auction
  WHERE b.`dateTime` BETWEEN a.`dateTime` AND a.expires
) AS ranked
WHERE place <= 1;
