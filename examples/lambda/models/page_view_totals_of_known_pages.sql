SELECT
    batch.url,
    batch.total_views + COALESCE(realtime.recent_views, 0) AS total_views
  FROM {{ ref('batch_view') }} batch
  LEFT JOIN {{ ref('realtime_view') }} realtime ON batch.url = realtime.url
