with

source as (
    select * from {{ source('raw', 'translation_statistics') }}
),

final as (
    select
        request_id,
        item_hash,
        measure_id,
        measure_version,
        match_counts,
        ngram_counts,
        candidate_length,
        reference_length,
        measured_at
    from source
)

select * from final
