-- `lines` lines of a web server's log, about 120 bytes each, with a million different sessions.
SET preserve_insertion_order = false;
COPY (
  SELECT '10.' || hash(n, 'a') % 256 || '.' || hash(n, 'b') % 256 || '.7 - - [24/Jul/2025:10:' ||
    lpad((hash(n, 'm') % 60)::VARCHAR, 2, '0') || ':00 +0000] "' ||
    ['GET', 'POST', 'PUT'][(1 + hash(n, 'verb') % 3)::INT] || ' /' ||
    ['cart', 'home', 'product', 'search', 'account'][(1 + hash(n, 'page') % 5)::INT] || '/' || hash(n, 'item') % 5000 ||
    ' HTTP/1.1" ' || [200, 200, 200, 304, 404, 500][(1 + hash(n, 'status') % 6)::INT] ||
    ' "Mozilla/5.0 (X11; Linux)" session=' || to_hex(hash(n, 'session') % 1000000) AS line
  FROM range(getvariable('lines')::BIGINT) AS numbers(n)
) TO (getvariable('logs')) (FORMAT csv, header false, delimiter '\x01', quote '', escape '');
