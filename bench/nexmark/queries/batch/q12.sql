-- compare nothing: the windows depend on the clock while it ran
SELECT bidder, count(*), NULL, NULL FROM bid GROUP BY bidder
