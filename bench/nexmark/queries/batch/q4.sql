SELECT category, (sum(highest) // count(*))::BIGINT
FROM (
  SELECT a.id, a.category, max(b.price) AS highest
  FROM auction AS a JOIN bid AS b ON a.id = b.auction
  WHERE b.dateTime BETWEEN a.dateTime AND a.expires
  GROUP BY ALL)
GROUP BY category
