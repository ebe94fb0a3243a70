WITH bids_per_auction AS (
  SELECT auction, window_start, count(*) AS bids
  FROM (
    SELECT auction, unnest([time_bucket(INTERVAL 2 SECOND, dateTime) - to_seconds(back)
      FOR back IN [0, 2, 4, 6, 8]]) AS window_start
    FROM bid)
  GROUP BY ALL)
SELECT auction, bids FROM bids_per_auction
QUALIFY rank() OVER (PARTITION BY window_start ORDER BY bids DESC) = 1
