select 1 from (select sum(amount) as a from {{ ref('orders') }}) as all_orders,
  (select sum(orders) as n from {{ ref('days') }}) as all_days
where a is null or n is null
