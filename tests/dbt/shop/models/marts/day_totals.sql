select count(*) as orders, day from {{ ref('orders') }} group by day
