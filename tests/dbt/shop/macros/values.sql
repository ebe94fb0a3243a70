{% macro cents(column) -%} cast({{ column }} * 100 as bigint) {%- endmacro %}

{% macro distinct_values(relation, column) %}
  {% set found = [] %}
  {% if execute %}
    {% for row in run_query('select distinct ' ~ column ~ ' from ' ~ relation ~ ' order by 1').rows %}
      {% do found.append(row[0]) %}
    {% endfor %}
  {% endif %}
  {{ return(found) }}
{% endmacro %}

{% test at_least(model, column_name, lowest) %}
select * from {{ model }} where {{ column_name }} < {{ lowest }}
{% endtest %}
