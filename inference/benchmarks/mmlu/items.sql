with

questions as (
    select
        'test' as split,
        test.name,
        test.position,
        test.json
    from test
    union all
    select
        'pool' as split,
        pool.name,
        pool.position,
        pool.json
    from pool
),

answered as (
    select
        split,
        name,
        position,
        json,
        (json -> 'choices')::varchar[] as texts,
        (json ->> 'answer')::integer as gold_index
    from questions
)

select
    split,
    name || '/' || (row_number() over (partition by split, name order by position) - 1)
        as item_id,
    name as subset,
    name as cluster_id,
    json_object(
        'subject', replace(name, '_', ' '),
        'question', python_strip(json ->> 'question'),
        'choice_a', texts[1],
        'choice_b', texts[2],
        'choice_c', texts[3],
        'choice_d', texts[4]
    ) as fields,
    'ABCD'[gold_index + 1] as target,
    ['ABCD'[gold_index + 1]] as golds,
    ['A', 'B', 'C', 'D'] as choices,
    gold_index
from answered
order by split, position
