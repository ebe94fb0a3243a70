{% snapshot products_history %}
{{ config(target_schema='history', unique_key='code', strategy='check', check_cols=['title']) }}
select * from {{ ref('raw_products') }}
{% endsnapshot %}
