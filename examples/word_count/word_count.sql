-- How often each word stands in raw log lines, with 256 MB of memory however many lines there are. What
-- takes memory are the different words: four million fit, forty million do not (an error says so).
-- `logs` names the files: 'logs/*.log', also .gz, also s3://….
SET memory_limit = '256MB';
SET threads = 2;
SET preserve_insertion_order = false;

COPY (
  SELECT word, count(*) AS occurrences
  FROM (
    SELECT unnest(regexp_extract_all(lower(line), '[a-z0-9_]+')) AS word
    -- One column, no quotes: a line is a line, whatever is in it. Small buffers leave the memory to the words.
    FROM read_csv(getvariable('logs'), columns = {'line': 'VARCHAR'}, auto_detect = false,
      header = false, delim = '\x01', quote = '', escape = '', max_line_size = 1048576, buffer_size = 2097152)
  )
  GROUP BY word
) TO (getvariable('counts')) (FORMAT parquet);

SELECT word, occurrences FROM read_parquet(getvariable('counts')) ORDER BY occurrences DESC, word LIMIT 10;
