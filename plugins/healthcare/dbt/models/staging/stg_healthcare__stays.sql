-- One row a stay: a patient at a facility, open where there is no discharge yet.
select
    record_id,
    patient,
    split_part(diagnosis, ' ', 1) as diagnosis_code,
    facility_id,
    admitted_on,
    discharged_on,
    discharged_on is null as is_open,
    discharged_on - admitted_on as days
from {{ ref('healthcare_records') }}
