-- A verdict that one lineage, one model or the suspect cells decide is reported, unless the seed
-- known_influences says why it is so.
{{ config(severity='warn') }}

select
    claim_id,
    panel_id,
    left_out_kind,
    left_out_id,
    verdict,
    verdict_without
from {{ ref('fct_claim_influences') }}
where is_decisive and known_reason is null
