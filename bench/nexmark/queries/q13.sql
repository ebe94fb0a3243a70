-- Bounded side input: each bid with the value of its key in a file. An ordinary join: no engine's
-- filesystem connector answers the look-ups of FOR SYSTEM_TIME AS OF.
CREATE TABLE side_input (key BIGINT, `value` STRING) WITH (
  'connector' = 'filesystem', 'path' = '${SIDE}', 'format' = 'csv');
CREATE TABLE q13 (
  auction BIGINT, bidder BIGINT, price BIGINT, `dateTime` TIMESTAMP(3), `value` STRING
) WITH (${SINK});

INSERT INTO q13
SELECT b.auction, b.bidder, b.price, b.`dateTime`, s.`value`
FROM (SELECT *, MOD(auction, 10000) AS side_key FROM bid) AS b
JOIN side_input AS s ON b.side_key = s.key;
