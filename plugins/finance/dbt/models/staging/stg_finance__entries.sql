-- Ledger entries with the month that they belong to.
select
    entry_id,
    booked_on,
    cast(date_trunc('month', booked_on) as date) as month,
    kind,
    segment,
    amount
from {{ ref('finance_ledger') }}
