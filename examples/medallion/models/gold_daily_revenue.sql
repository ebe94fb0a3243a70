{#- Gold: what the business asks for. -#}
select cast(paid_at as date) as day, shop, count(*) as payments, sum(amount) as revenue
from {{ ref('silver_payments') }}
group by all
