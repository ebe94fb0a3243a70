-- an ephemeral model: no table of its own
with source as (select * from {{ ref('raw_orders') }})
select id as order_id, day, product, {{ cents("amount") }} as amount, paid from source
where day >= '{{ var("first_day") }}'
