{#- Silver: typed, in one currency unit, once per payment. Made anew from bronze, never from the
    shops: after a mistake here was mended, `millrace build -s silver_payments+` repairs all of it. -#}
with parsed as (
  select
    source_partition, source_offset, received_at,
    (payload ->> 'id') as payment_id,
    (payload ->> 'shop') as shop,
    -- shop "north" sends cents
    cast(payload ->> 'amount' as decimal(12, 2))
      {%- if var('north_sends_cents', true) %} / case when (payload ->> 'shop') = 'north' then 100 else 1 end {%- endif %} as amount,
    cast(payload ->> 'paid_at' as timestamp) as paid_at
  from {{ ref('bronze_payments') }}
  where json_valid(payload)
)
select payment_id, shop, cast(amount as decimal(12, 2)) as amount, paid_at
from parsed
where payment_id is not null
qualify row_number() over (partition by payment_id order by source_partition, source_offset) = 1
