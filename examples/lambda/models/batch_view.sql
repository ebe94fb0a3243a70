{#- The batch layer: counted anew from all events by each `millrace build`, up to the newest minute
    that is over. Late events, which the speed layer has refused, are in it. -#}
{{ config(materialized='table') }}
with boundary as (
  select max(window_end) as at from {{ ref('minute_views') }}
)
select url, count(*) as total_views, boundary.at as last_updated
from {{ source('web', 'page_views') }}, boundary
where viewed_at < boundary.at
group by url, boundary.at
