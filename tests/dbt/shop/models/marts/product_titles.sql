select code, title from {{ ref('raw_products') }}
