select code as product, title from {{ ref('raw_products') }}
