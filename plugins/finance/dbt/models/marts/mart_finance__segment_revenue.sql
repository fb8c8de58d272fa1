-- Revenue by segment and its share of the whole.
with segments as (
    select segment, sum(amount) as revenue
    from {{ ref('stg_finance__entries') }}
    where kind = 'revenue'
    group by segment
)

select
    segment,
    revenue,
    round(revenue * 1.0 / sum(revenue) over (), 4) as share
from segments
order by revenue desc
