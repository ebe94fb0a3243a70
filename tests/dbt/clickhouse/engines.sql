{{ config(materialized='table', engine='ReplacingMergeTree', order_by=['day', 'order_id'],
          primary_key='day', partition_by='toYYYYMM(day)', ttl='day + interval 100 year',
          settings={'index_granularity': 1024}) }}
select order_id, day, amount from {{ ref('orders') }}
