-- The stream's three kinds of event over its JSON files, for DuckDB.
CREATE VIEW events AS SELECT * FROM read_json('${SOURCE}', format = 'newline_delimited', columns = {
  event_type: 'INTEGER',
  person: 'STRUCT(id BIGINT, name VARCHAR, emailAddress VARCHAR, creditCard VARCHAR, city VARCHAR,
    state VARCHAR, dateTime TIMESTAMP, extra VARCHAR)',
  auction: 'STRUCT(id BIGINT, itemName VARCHAR, description VARCHAR, initialBid BIGINT,
    reserve BIGINT, dateTime TIMESTAMP, expires TIMESTAMP, seller BIGINT, category BIGINT,
    extra VARCHAR)',
  bid: 'STRUCT(auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR,
    dateTime TIMESTAMP, extra VARCHAR)'});
CREATE VIEW person AS SELECT unnest(person) FROM events WHERE event_type = 0;
CREATE VIEW auction AS SELECT unnest(auction) FROM events WHERE event_type = 1;
CREATE VIEW bid AS SELECT unnest(bid) FROM events WHERE event_type = 2;
