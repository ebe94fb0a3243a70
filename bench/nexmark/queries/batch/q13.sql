SELECT b.auction, b.bidder, b.price, b.dateTime, s.value
FROM bid AS b JOIN read_csv('${SIDE}', columns = {key: 'BIGINT', value: 'VARCHAR'}) AS s
ON b.auction % 10000 = s.key
