-- compare 1, 2, 6: of bids in one millisecond any may be the last
SELECT auction, bidder, price, channel, url, dateTime, extra FROM bid
QUALIFY row_number() OVER (PARTITION BY bidder, auction ORDER BY dateTime DESC) = 1;
-- candidates
SELECT auction, bidder, price, channel, url, dateTime, extra FROM bid
