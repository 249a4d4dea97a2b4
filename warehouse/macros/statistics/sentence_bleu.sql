{% macro sentence_bleu(match_counts, ngram_counts, candidate_length, reference_length) -%}
{#- BLEU of one sentence from its counts of n-grams by length, 1 to 4 (Papineni et al. 2002, ACL),
    with the smoothing of sacreBLEU's sentence_bleu: only of n-grams as long as the sentence has;
    the first length without a match counts as half a match, the next as a quarter, and so on (Chen
    and Cherry 2014, WMT, method 3). 0 where nothing matches; null where a count is null. No count
    of matches is above its count of n-grams, so that every logarithm is at most 0, in floating
    point too, and the score at most 1; of a perfect sentence all are 0. -#}
    case
        when list_max({{ match_counts }}) = 0 then 0.0
        else
            exp(
                list_avg(list_transform(
                    list_filter(range(1, 5), lambda n: {{ ngram_counts }}[n] > 0),
                    lambda n: ln(
                        if(
                            {{ match_counts }}[n] > 0,
                            {{ match_counts }}[n],
                            power(
                                0.5,
                                len(list_filter(
                                    {{ match_counts }}[:n], lambda matches: matches = 0
                                ))
                            )
                        ) / {{ ngram_counts }}[n]
                    )
                ))
                + least(0.0, 1.0 - {{ reference_length }} / {{ candidate_length }})
            )
    end
{%- endmacro %}
