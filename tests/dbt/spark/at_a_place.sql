{{ config(materialized='table', file_format='delta', location_root=var('root') ~ '/' ~ target.schema) }}
select code, {{ var('n', 1) }} as n from {{ ref('raw_products') }}
