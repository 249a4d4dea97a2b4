with

questions as (
    select
        'test' as split,
        test.json ->> 'question_id' as item_id,
        test.json ->> 'question' as question,
        (test.json -> '$.answer.aliases')::varchar[] as aliases
    from test
    union all
    select
        'pool' as split,
        coalesce(pool.json ->> 'question_id', pool.position::varchar) as item_id,
        coalesce(pool.json ->> 'question', pool.json ->> 0) as question,
        coalesce(
            (pool.json -> '$.answer.aliases')::varchar[],
            -- The stand-in for the pool has a Python list of the aliases. Its escapes of
            -- characters (\xa0) are read as those of JSON; an escaped quote stays one, for the
            -- cast to a list reads it.
            (
                (
                    '"'
                    || replace(
                        regexp_replace(
                            replace(pool.json ->> 1, '\''', '\\'''),
                            '\\x([0-9a-f]{2})', '\\u00\1', 'g'
                        ),
                        '"', '\"'
                    )
                    || '"'
                )::json ->> '$'
            )::varchar[]
        ) as aliases
    from pool
)

select
    split,
    item_id,
    '' as subset,
    item_id as cluster_id,
    json_object(
        'question', question,
        'question_marked', if(ends_with(question, '?'), question, question || '?')
    ) as fields,
    aliases[1] as target,
    aliases as golds,
    null as choices,
    null as gold_index
from questions
