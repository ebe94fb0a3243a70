{#- Every payment of bronze is in silver; other records are none. -#}
select (payload ->> 'id') as payment_id from {{ ref('bronze_payments') }}
where json_valid(payload) and (payload ->> 'id') is not null
except
select payment_id from {{ ref('silver_payments') }}
