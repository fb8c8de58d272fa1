-- How busy each facility is: stays, open ones, days a stay, share of beds that are taken.
select
    f.facility_id,
    f.name,
    f.kind,
    f.beds,
    count(s.record_id) as stays,
    count(case when s.is_open then 1 end) as open_stays,
    round(avg(s.days), 1) as average_days,
    round(count(case when s.is_open then 1 end) * 1.0 / nullif(f.beds, 0), 4) as occupancy
from {{ ref('stg_healthcare__facilities') }} as f
left join {{ ref('stg_healthcare__stays') }} as s on s.facility_id = f.facility_id
group by f.facility_id, f.name, f.kind, f.beds
order by f.facility_id
