SELECT auction, bidder, price, dateTime, extra FROM bid
QUALIFY rank() OVER (
  PARTITION BY time_bucket(INTERVAL 10 SECOND, dateTime) ORDER BY price DESC) = 1
