{#- The speed layer: views per page and minute, a row as soon as its minute is over. -#}
{{ config(materialized='stream') }}
SELECT window_start, window_end, url, COUNT(*) AS views
FROM TABLE(TUMBLE(TABLE {{ source('web', 'page_views') }}, DESCRIPTOR(viewed_at), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, url
