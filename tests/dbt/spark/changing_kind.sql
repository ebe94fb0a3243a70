{{ config(materialized=var('kind', 'view')) }}
select code, title from {{ ref('raw_products') }}
