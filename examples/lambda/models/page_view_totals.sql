{#- The serving layer. With LEFT JOIN, as it is often written, a page that was first seen after the
    last batch run would be missing: page_view_totals_of_known_pages.sql. -#}
SELECT
    coalesce(batch.url, realtime.url) AS url,
    COALESCE(batch.total_views, 0) + COALESCE(realtime.recent_views, 0) AS total_views
FROM {{ ref('batch_view') }} batch
FULL JOIN {{ ref('realtime_view') }} realtime ON batch.url = realtime.url
