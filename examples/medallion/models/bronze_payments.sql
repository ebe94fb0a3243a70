{#- Bronze: every record, its bytes untouched, with where it came from. A stream, so it is always
    complete; it outlives the topic's retention. -#}
{{ config(materialized='stream') }}
SELECT `partition` AS source_partition, `offset` AS source_offset, received_at, payload
FROM {{ source('shops', 'payments') }}
