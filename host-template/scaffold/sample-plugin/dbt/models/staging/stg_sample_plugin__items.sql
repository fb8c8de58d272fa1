-- Items with the month that they were made in.
select
    item_id,
    title,
    created_on,
    cast(date_trunc('month', created_on) as date) as month
from {{ ref('sample_plugin_items') }}
