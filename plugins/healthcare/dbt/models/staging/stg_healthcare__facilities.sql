-- Facilities that have beds or patients to count.
select
    facility_id,
    name,
    kind,
    city,
    beds
from {{ ref('healthcare_facilities') }}
