with

questions as (
    select
        'test' as split,
        test.position,
        test.json
    from test
    union all
    select
        'pool' as split,
        pool.position,
        pool.json
    from pool
),

raw_texts as (
    -- Query first, then the endings. The second context begins with a capital, and all its
    -- other letters become small, as the reference's capitalize() leaves it.
    select
        split,
        position,
        json,
        [
            (json ->> 'activity_label') || ': ' || (json ->> 'ctx_a') || ' '
            || upper(substr(json ->> 'ctx_b', 1, 1)) || lower(substr(json ->> 'ctx_b', 2))
        ] || (json -> 'endings')::varchar[] as texts
    from questions
),

cleaned as (
    select
        split,
        position,
        json,
        list_transform(
            texts,
            lambda raw: replace(
                regexp_replace(
                    replace(python_strip(raw), ' [title]', '. '),
                    '\[.*?\]', '', 'g'
                ),
                '  ', ' '
            )
        ) as texts
    from raw_texts
),

prepared as (
    -- The stand-in for the pool is prepared already.
    select
        split,
        position,
        json,
        coalesce(json ->> 'query', texts[1]) as query,
        coalesce((json -> 'choices')::varchar[], texts[2:]) as choices,
        coalesce(json ->> 'gold', json ->> 'label')::integer as gold_index
    from cleaned
)

select
    split,
    position::varchar as item_id,
    '' as subset,
    coalesce(json ->> 'source_id', position::varchar) as cluster_id,
    json_object('query', query) as fields,
    choices[gold_index + 1] as target,
    [choices[gold_index + 1]] as golds,
    choices,
    gold_index
from prepared
