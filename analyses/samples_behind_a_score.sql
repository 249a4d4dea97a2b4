-- What is behind a score: question, prompt, completion, and the answer that was taken from it.
-- Name the cell with variables, of which each may be left out:
--   dbt show -s samples_behind_a_score --output json --vars '{
--       model_id: HuggingFaceTB/SmolLM2-135M-Instruct, benchmark_id: gsm8k, score: 0}'
with

samples as (
    select * from {{ ref('fct_sample_texts') }}
    where
        true
        {%- for name in ('run_id', 'model_id', 'benchmark_id', 'item_id', 'score') %}
            {%- if var(name, none) is not none %}
                and {{ name }} = '{{ var(name) }}'
            {%- endif %}
        {%- endfor %}
),

final as (
    select
        benchmark_id,
        item_id,
        sample_index,
        score,
        coalesce(answer_text, unscored_reason) as answer,
        coalesce(gold_choice, golds[1], target) as gold,
        coalesce(completion_text, choice_log_likelihoods::varchar) as completion,
        prompt_text,
        model_id,
        run_id,
        scorer_id,
        scorer_version,
        golds,
        choices,
        fields,
        request_id
    from samples
)

select * from final
order by benchmark_id asc, item_id asc, sample_index asc, run_id asc
