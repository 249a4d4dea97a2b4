with

questions as (
    select
        'test' as split,
        test.json
    from test
    union all
    select
        'pool' as split,
        pool.json
    from pool
),

answered as (
    select
        split,
        json,
        (json -> '$.choices.text')::varchar[] as choices,
        list_position(
            (json -> '$.choices.label')::varchar[], python_strip(json ->> 'answerKey')
        )::integer as gold_position
    from questions
)

select
    split,
    json ->> 'id' as item_id,
    '' as subset,
    json ->> 'id' as cluster_id,
    json_object('question_stem', json ->> 'question_stem') as fields,
    choices[gold_position] as target,
    [choices[gold_position]] as golds,
    choices,
    gold_position - 1 as gold_index
from answered
