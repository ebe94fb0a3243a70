select code, upper(title) as heading from {{ ref('raw_products') }}
