{{ config(materialized='table') }}
select
  order_id,
  {{ dbt.dateadd('month', 2, 'day') }} as two_months_later,
  {{ dbt.datediff("toDate('2023-11-30')", 'day', 'month') }} as months,
  {{ dbt.date_trunc('year', 'day') }} as year,
  {{ dbt.last_day('day', 'month') }} as month_end,
  {{ dbt.hash('product') }} as hashed,
  {{ dbt.length('product') }} as length,
  {{ dbt.position("'A'", 'product') }} as place,
  {{ dbt.replace('product', 'A', 'Z') }} as replaced,
  {{ dbt.right('title', 2) }} as ending,
  {{ dbt.concat(['product', "'-'", 'title']) }} as both,
  {{ dbt.cast_bool_to_text('paid') }} as paid_text,
  {{ dbt.split_part('title', "'p'", 1) }} as before_p,
  {{ dbt.safe_cast('order_id', type_string()) }} as order_text,
  cast(amount as {{ dbt.type_float() }}) as as_float,
  cast(amount as {{ dbt.type_int() }}) as as_int,
  cast(amount as {{ dbt.type_bigint() }}) as as_bigint,
  cast(amount as {{ dbt.type_numeric() }}) as as_numeric,
  cast(paid as {{ dbt.type_boolean() }}) as as_boolean,
  cast(day as {{ dbt.type_timestamp() }}) as as_timestamp
from {{ ref('orders') }}
