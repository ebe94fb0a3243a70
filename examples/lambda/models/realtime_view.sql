{#- What came since the last batch run. It reads from the batch view where that one ends, so both
    change in the same moment. -#}
select url, cast(sum(views) as bigint) as recent_views, max(window_end) as last_updated
from {{ ref('minute_views') }}
where window_start >= coalesce((select max(last_updated) from {{ ref('batch_view') }}), '-infinity')
group by url
