-- Hot items: the auctions with the most bids in the last 10 seconds, every 2 seconds.
CREATE TABLE q5 (auction BIGINT, bids BIGINT) WITH (${SINK});

CREATE VIEW bids_per_auction AS
SELECT auction, COUNT(*) AS bids, window_start, window_end
FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
GROUP BY auction, window_start, window_end;

INSERT INTO q5
SELECT each_auction.auction, each_auction.bids
FROM bids_per_auction AS each_auction JOIN (
  SELECT MAX(bids) AS bids, window_start, window_end
  FROM bids_per_auction GROUP BY window_start, window_end
) AS hottest
ON each_auction.window_start = hottest.window_start
  AND each_auction.window_end = hottest.window_end AND each_auction.bids >= hottest.bids;
