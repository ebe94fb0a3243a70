{{ config(materialized='view', schema='names') }}
select day, '{{ target.name }}' as made_for from {{ ref('days') }}
