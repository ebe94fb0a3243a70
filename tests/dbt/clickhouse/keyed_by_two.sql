{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key=['day', 'product'],
          order_by='day', on_schema_change='sync_all_columns') }}
select day, product, count() as orders {% if not var('grown', false) %}, 1 as gone {% endif %}
from {{ ref('orders') }} group by day, product
