SELECT auction, bidder, (0.908 * price)::DECIMAL(23, 3), dateTime, extra FROM bid
