{% snapshot stock_history %}
{{ config(unique_key='code', strategy='check', check_cols='all', hard_deletes='new_record') }}
select * from {{ ref('raw_products') }}
{% endsnapshot %}
