{{ config(materialized='view') }}
select day,
  {{ dbt.listagg("coalesce(product, '-')", "', '", 'order by order_id desc', 2) }} as newest_first,
  {{ dbt.listagg('toString(order_id)', "'|'", 'order by order_id') }} as ids,
  {{ dbt.bool_or('paid') }} as any_paid,
  {{ dbt.any_value('1') }} as one
from {{ ref('orders') }} group by day
