-- Average price of a category: over its auctions, of the highest bid while each was open.
CREATE TABLE q4 (category BIGINT, price BIGINT)
WITH (${SINK});

INSERT INTO q4
SELECT category, AVG(highest)
FROM (
  SELECT a.id, a.category, MAX(b.price) AS highest
  FROM auction AS a JOIN bid AS b ON a.id = b.auction
  WHERE b.`dateTime` BETWEEN a.`dateTime` AND a.expires
  GROUP BY a.id, a.category
) AS winning
GROUP BY category;
