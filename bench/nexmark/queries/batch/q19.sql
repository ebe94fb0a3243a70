-- compare 1, 3, 8: of equal prices any may have the better rank
SELECT auction, bidder, price, channel, url, dateTime, extra, place
FROM (
  SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS place FROM bid)
WHERE place <= 10;
-- candidates
SELECT auction, bidder, price, channel, url, dateTime, extra FROM bid
