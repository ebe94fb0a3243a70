SELECT bidder, count(*), min(dateTime), max(dateTime) + INTERVAL 10 SECOND
FROM (
  SELECT bidder, dateTime,
    count(*) FILTER (WHERE pause > INTERVAL 10 SECOND) OVER (PARTITION BY bidder ORDER BY dateTime)
      AS session
  FROM (
    SELECT bidder, dateTime,
      dateTime - lag(dateTime) OVER (PARTITION BY bidder ORDER BY dateTime) AS pause
    FROM bid))
GROUP BY bidder, session
