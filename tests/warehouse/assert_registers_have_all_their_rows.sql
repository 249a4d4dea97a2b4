-- The registers are transcribed by hand, so a lost or doubled row is an error, not a change; a row
-- added on purpose changes its count here.
with

expected (register, expected_row_count) as (
    values
    ('benchmarks', 19),
    ('models', 193),
    ('panels', 4),
    ('published_sources', 4),
    ('training_stages', 176),
    ('hand_checked_budgets', 137)
),

found (register, found_row_count) as (
    values
    ('benchmarks', (select count(*) from {{ ref('benchmarks') }})),
    ('models', (select count(*) from {{ ref('models') }})),
    ('panels', (select count(*) from {{ ref('panels') }})),
    ('published_sources', (select count(*) from {{ ref('published_sources') }})),
    ('training_stages', (select count(*) from {{ ref('training_stages') }})),
    ('hand_checked_budgets', (select count(*) from {{ ref('hand_checked_budgets') }}))
)

select
    expected.register,
    expected.expected_row_count,
    found.found_row_count
from expected
inner join found on expected.register = found.register
where expected.expected_row_count != found.found_row_count
