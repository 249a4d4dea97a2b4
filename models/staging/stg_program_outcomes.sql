with

source as (
    select * from {{ source('raw', 'program_outcomes') }}
),

final as (
    select
        request_id,
        item_hash,
        measure_id,
        measure_version,
        outcome,
        error_head,
        wall_seconds,
        measured_at
    from source
)

select * from final
