{{ config(materialized='incremental', incremental_strategy='merge', unique_key=['code', 'kind'], file_format='delta',
          merge_update_columns=['title'], partition_by='kind') }}
select code, title, current_timestamp() is not null as seen, {{ var('n', 1) }} as n, 'fruit' as kind from {{ ref('raw_products') }}
