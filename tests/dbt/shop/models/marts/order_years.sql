{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='day',
          batch_size='year', begin='2023-01-01', lookback=9) }}
select id, day, amount from {{ ref('raw_orders') }}
