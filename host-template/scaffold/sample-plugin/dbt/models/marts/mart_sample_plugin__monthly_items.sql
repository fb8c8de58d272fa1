-- How many items each month brought.
select
    month,
    count(*) as items
from {{ ref('stg_sample_plugin__items') }}
group by month
order by month
