-- One row a day of the current and the previous year, for marts to join on.
select cast(day as date) as day
from generate_series(
    date_trunc('year', current_date) - interval 1 year,
    date_trunc('year', current_date) + interval 1 year - interval 1 day,
    interval 1 day
) as days (day)
