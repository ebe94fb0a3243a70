{{ config(materialized='incremental', unique_key='order_id', on_schema_change='append_new_columns') }}
select order_id, amount {% if var('grown', false) %}, paid as paid_too {% endif %} from {{ ref('orders') }}
