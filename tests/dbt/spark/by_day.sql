{{ config(materialized='incremental', incremental_strategy='insert_overwrite', partition_by=['day', 'product'],
          file_format='orc', options={'compression': 'zlib'}, tblproperties={'made.by': 'a test'}) }}
select order_id, amount, day, product from {{ ref('orders') }}
{% if is_incremental() %} where order_id >= 3 {% endif %}
