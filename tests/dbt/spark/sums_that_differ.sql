{{ config(materialized='view') }}
select day,
  {{ dbt.listagg("'x'", "', '", none, 2) }} as listed,
  {{ dbt.bool_or('paid') }} as any_paid,
  {{ dbt.any_value('1') }} as one
from {{ ref('orders') }} group by day
