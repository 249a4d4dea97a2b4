select
    models.model_id,
    count(budgets.language) as language_count
from {{ ref('dim_models') }} as models
left join {{ ref('fct_token_budgets') }} as budgets on models.model_id = budgets.model_id
-- Of a model that is in no register, nothing is known of its training.
where models.training_type != 'unregistered'
group by models.model_id
having count(budgets.language) != 5
