{{ config(materialized='incremental', unique_key='order_id', incremental_strategy=var('strategy', 'delete+insert')) }}
with recent as (
  select * from {{ ref('stg_orders') }}
  {% if is_incremental() %} where day >= (select max(day) from {{ this }}) {% endif %}
)
select recent.*, products.title
from recent left join {{ ref('stg_products') }} as products using (product)
