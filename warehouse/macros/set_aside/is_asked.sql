{% macro is_asked(relation, sample_index, variant_index) -%}
{#- Whether a request is asked for the answer of the item in `relation`, for its run, benchmark and
    protocol version: that of `sample_index` and `variant_index`, as SQL with the relation's name. -#}
    exists (
        select 1
        from {{ ref('stg_run_requests') }} as asked
        where
            asked.run_id = {{ relation }}.run_id
            and asked.benchmark_id = {{ relation }}.benchmark_id
            and asked.protocol_version = {{ relation }}.protocol_version
            and asked.item_hash = {{ relation }}.item_hash
            and asked.sample_index = {{ sample_index }}
            and asked.variant_index = {{ variant_index }}
            and asked.purpose = 'answer'
    )
{%- endmacro %}
