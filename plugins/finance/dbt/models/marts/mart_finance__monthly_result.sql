-- Revenue, cost and what is left, month by month.
with months as (
    select
        month,
        sum(case when kind = 'revenue' then amount else 0 end) as revenue,
        sum(case when kind = 'cost' then amount else 0 end) as cost
    from {{ ref('stg_finance__entries') }}
    group by month
)

select
    month,
    revenue,
    cost,
    revenue - cost as result,
    round((revenue - cost) * 1.0 / nullif(revenue, 0), 4) as margin
from months
order by month
