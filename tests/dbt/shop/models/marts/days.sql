{%- set products = distinct_values(ref('raw_products'), 'code') -%}
select day, count(*) as orders
  {%- for product in products %}, sum(amount) filter (where product = '{{ product }}') as amount_{{ product | lower }}{% endfor %}
from {{ ref('orders') }} group by day
