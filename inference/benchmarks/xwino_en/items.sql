with

sentences as (
    select
        test.position,
        test.json ->> 3 as sentence,
        ((test.json ->> 4)::json)::varchar[] as tokens,
        (((test.json ->> 5)::json) ->> '$[1][0]')::integer as pronoun_start,
        ((test.json ->> 5)::json) ->> '$[0]' as pronoun,
        ((test.json ->> 6)::json) as options
    from test
    where test.json ->> 0 = 'en'
),

split_sentences as (
    -- What stands before the pronoun: its tokens, with whatever spaces the sentence has.
    select
        position,
        sentence,
        pronoun,
        options,
        regexp_extract(
            sentence,
            '^\s*' || array_to_string(
                list_transform(
                    tokens[:pronoun_start],
                    lambda token: if(
                        token in ('``', ''''''), '(?:"|``|'''')', regexp_escape(token)
                    )
                ),
                '\s*'
            ) || '\s*'
        ) as before
    from sentences
),

contexts as (
    select
        position,
        [before || (options ->> '$[0][0]'), before || (options ->> '$[1][0]')] as choices,
        if(options ->> '$[0][3]' = 'true', 0, 1) as gold_index,
        python_strip(substr(sentence, length(before) + length(pronoun) + 1)) as target
    from split_sentences
)

select
    'test' as split,
    position::varchar as item_id,
    '' as subset,
    position::varchar as cluster_id,
    json_object('context', choices[gold_index + 1]) as fields,
    target,
    [choices[gold_index + 1]] as golds,
    choices,
    gold_index
from contexts
