with

examples as (
    select
        test.name,
        test.position as file_position,
        unnest((test.json -> 'examples')::json[]) as example
    from test
),

numbered as (
    select
        name,
        example,
        row_number() over () as position
    from examples
),

prompts as (
    -- A line of dashes ends the note that precedes the task's description. One line break, where
    -- the file has two, stands between it and the first example: the harness has the description
    -- as a template of its own, and Jinja drops the last line break of a template.
    select
        worked_examples.name,
        regexp_replace(
            worked_examples.json ->> '$', '(?s)^.*?-----\n(.*?)\n\nQ: ', e'\\1\nQ: '
        ) as worked_examples
    from worked_examples
)

select
    'test' as split,
    numbered.name || '/'
    || (row_number() over (partition by numbered.name order by numbered.position) - 1)
        as item_id,
    numbered.name as subset,
    numbered.name as cluster_id,
    json_object(
        'input', numbered.example ->> 'input',
        'worked_examples', prompts.worked_examples
    ) as fields,
    numbered.example ->> 'target' as target,
    [numbered.example ->> 'target'] as golds,
    null as choices,
    null as gold_index
from numbered
left join prompts on numbered.name = prompts.name
order by numbered.position
