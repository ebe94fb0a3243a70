-- key 1
-- compare 1-11, 13, 14: of equal bids in one millisecond either may have won
SELECT a.*, b.auction, b.bidder, b.price, b.dateTime, b.extra
FROM auction AS a JOIN bid AS b ON a.id = b.auction
WHERE b.dateTime BETWEEN a.dateTime AND a.expires
QUALIFY row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.dateTime) = 1;
-- candidates
SELECT a.*, b.auction, b.bidder, b.price, b.dateTime, b.extra
FROM auction AS a JOIN bid AS b ON a.id = b.auction
