#include "dbt/builtin_macros.h"

namespace millrace::dbt {

namespace {

constexpr const char* kCommon = R"jinja(
{% macro generate_schema_name(custom_schema_name, node) -%}
  {%- if custom_schema_name is none or custom_schema_name is undefined -%} {{ target.schema }}
  {%- else -%} {{ target.schema }}_{{ custom_schema_name | trim }} {%- endif -%}
{%- endmacro %}
{% macro generate_alias_name(custom_alias_name, node) -%}
  {%- if custom_alias_name -%} {{ custom_alias_name | trim }}
  {%- else -%} {{ node.name }} {%- endif -%}
{%- endmacro %}
{% macro get_where_subquery(relation) -%}
  {%- set where = config.get('where') -%}
  {%- if where -%} (select * from {{ relation }} where {{ where }}) dbt_subquery
  {%- else -%} {{ return(relation) }} {%- endif -%}
{%- endmacro %}
{% macro load_relation(relation) -%}
  {{ return(adapter.get_relation(relation.database, relation.schema, relation.identifier)) }}
{%- endmacro %}

{% macro should_store_failures() -%}
  {%- set kind = config.get('store_failures_as') -%}
  {{ return(kind != 'ephemeral' if kind else config.get('store_failures', flags.STORE_FAILURES)) }}
{%- endmacro %}

{% test unique(model, column_name) %}
select {{ column_name }} as unique_field, count(*) as n_records
from {{ model }}
where {{ column_name }} is not null
group by {{ column_name }}
having count(*) > 1
{% endtest %}
{% test not_null(model, column_name) %}
select {{ '*' if should_store_failures() else column_name }} from {{ model }} where {{ column_name }} is null
{% endtest %}
{% test accepted_values(model, column_name, values, quote=true) %}
select value_field, n_records
from (select {{ column_name }} as value_field, count(*) as n_records from {{ model }} group by 1) counted
where value_field not in (
  {%- for value in values -%}
  {%- if quote -%} '{{ value }}' {%- else -%} {{ value }} {%- endif -%}{{ ", " if not loop.last }}
  {%- endfor -%})
{% endtest %}
{% test relationships(model, column_name, to, field) %}
select child.from_field
from (select {{ column_name }} as from_field from {{ model }} where {{ column_name }} is not null) child
left join (select {{ field }} as to_field from {{ to }}) parent on child.from_field = parent.to_field
where parent.to_field is null
{% endtest %}

{% macro type_int() %}integer{% endmacro %}
{% macro type_bigint() %}bigint{% endmacro %}
{% macro type_numeric() %}numeric(28,6){% endmacro %}
{% macro type_boolean() %}boolean{% endmacro %}
{% macro type_timestamp() %}timestamp{% endmacro %}
{% macro current_timestamp() %}now(){% endmacro %}
{% macro date_trunc(datepart, date) -%} date_trunc('{{ datepart }}', {{ date }}) {%- endmacro %}
{% macro last_day(date, datepart) -%}
  cast(date_trunc('{{ datepart }}', {{ date }}) + interval 1 {{ datepart }} - interval 1 day as date)
{%- endmacro %}
{% macro concat(fields) -%} {{ fields | join(' || ') }} {%- endmacro %}
{% macro hash(field) -%} md5(cast({{ field }} as varchar)) {%- endmacro %}
{% macro length(expression) -%} length({{ expression }}) {%- endmacro %}
{% macro position(substring_text, string_text) -%}
  position({{ substring_text }} in {{ string_text }})
{%- endmacro %}
{% macro replace(field, old_chars, new_chars) -%}
  replace({{ field }}, {{ old_chars }}, {{ new_chars }})
{%- endmacro %}
{% macro right(string_text, length_expression) -%}
  right({{ string_text }}, {{ length_expression }})
{%- endmacro %}
{% macro cast_bool_to_text(field) -%} cast({{ field }} as varchar) {%- endmacro %}
{% macro string_literal(value) -%} '{{ value }}' {%- endmacro %}
{% macro escape_single_quotes(value) -%} {{ value | replace("'", "''") }} {%- endmacro %}
{% macro bool_or(expression) -%} bool_or({{ expression }}) {%- endmacro %}
{% macro except() %}except{% endmacro %}
{% macro intersect() %}intersect{% endmacro %}
{% macro listagg(measure, delimiter_text="','", order_by_clause=none, limit_num=none) -%}
  string_agg({{ measure }}, {{ delimiter_text }} {{ order_by_clause if order_by_clause }})
{%- endmacro %}
)jinja";

constexpr const char* kDuckDb = R"jinja(
{% macro type_string() %}varchar{% endmacro %}
{% macro type_float() %}float{% endmacro %}
{% macro dateadd(datepart, interval, from_date_or_timestamp) -%}
  {%- set unit = {'quarter': '3 month', 'week': '7 day'}.get(datepart | lower, '1 ' ~ datepart) -%}
  ({{ from_date_or_timestamp }} + cast({{ interval }} as bigint) * interval {{ unit }})
{%- endmacro %}
{% macro datediff(first_date, second_date, datepart) -%}
  date_diff('{{ datepart }}', {{ first_date }}::timestamp, {{ second_date }}::timestamp)
{%- endmacro %}
{% macro split_part(string_text, delimiter_text, part_number) -%}
  string_split({{ string_text }}, {{ delimiter_text }})[{{ part_number }}]
{%- endmacro %}
{% macro safe_cast(field, type) -%} try_cast({{ field }} as {{ type }}) {%- endmacro %}
{% macro any_value(expression) -%} any_value({{ expression }}) {%- endmacro %}
)jinja";

constexpr const char* kPostgres = R"jinja(
{% macro type_string() %}text{% endmacro %}
{% macro type_float() %}float8{% endmacro %}
{% macro dateadd(datepart, interval, from_date_or_timestamp) -%}
  {{ from_date_or_timestamp }} + ((interval '1 {{ datepart }}') * ({{ interval }}))
{%- endmacro %}
{% macro datediff(first_date, second_date, datepart) -%}
  {%- set a = "(" ~ first_date ~ ")::timestamp" -%}
  {%- set b = "(" ~ second_date ~ ")::timestamp" -%}
  {%- set years = "(date_part('year', " ~ b ~ ") - date_part('year', " ~ a ~ "))" -%}
  {%- set units = {"day": 86400, "hour": 3600, "minute": 60, "second": 1} -%}
  {%- if datepart == "year" -%} {{ years }}
  {%- elif datepart in ("quarter", "month") -%}
    ({{ years }} * {{ 4 if datepart == "quarter" else 12 }}
     + date_part('{{ datepart }}', {{ b }}) - date_part('{{ datepart }}', {{ a }}))
  {%- elif datepart == "week" -%}
    ((date_trunc('week', {{ b }})::date - date_trunc('week', {{ a }})::date) / 7)
  {%- elif datepart in units -%}
    ((extract(epoch from date_trunc('{{ datepart }}', {{ b }}))
      - extract(epoch from date_trunc('{{ datepart }}', {{ a }}))) / {{ units[datepart] }})::bigint
  {%- else -%}
    {{ exceptions.raise_compiler_error("datediff does not know the part " ~ datepart) }}
  {%- endif -%}
{%- endmacro %}
{% macro split_part(string_text, delimiter_text, part_number) -%}
  split_part({{ string_text }}, {{ delimiter_text }}, {{ part_number }})
{%- endmacro %}
{% macro safe_cast(field, type) -%} cast({{ field }} as {{ type }}) {%- endmacro %}
{% macro any_value(expression) -%} (array_agg({{ expression }}))[1] {%- endmacro %}
)jinja";

// A join gives 0 and '' for what is not there, not NULL: so the test of relationships differs, too.
constexpr const char* kClickHouse = R"jinja(
{% test relationships(model, column_name, to, field) %}
select child.from_field
from (select {{ column_name }} as from_field from {{ model }} where {{ column_name }} is not null) child
left anti join (select {{ field }} as to_field from {{ to }}) parent on child.from_field = parent.to_field
{% endtest %}
{% macro type_string() %}String{% endmacro %}
{% macro type_float() %}Float32{% endmacro %}
{% macro type_int() %}Int32{% endmacro %}
{% macro type_numeric() %}Decimal(28, 6){% endmacro %}
{% macro type_timestamp() %}DateTime{% endmacro %}
{% macro dateadd(datepart, interval, from_date_or_timestamp) -%}
  dateadd({{ datepart }}, {{ interval }}, {{ from_date_or_timestamp }})
{%- endmacro %}
{% macro datediff(first_date, second_date, datepart) -%}
  datediff({{ datepart }}, {{ first_date }}, {{ second_date }})
{%- endmacro %}
{% macro last_day(date, datepart) -%}
  dateadd(day, -1, dateadd({{ datepart }}, 1, date_trunc('{{ datepart }}', {{ date }})))
{%- endmacro %}
{% macro hash(field) -%} lower(hex(MD5(toString({{ field }})))) {%- endmacro %}
{% macro replace(field, old_chars, new_chars) -%}
  replaceAll({{ field }}, '{{ old_chars }}', '{{ new_chars }}')
{%- endmacro %}
{% macro cast_bool_to_text(field) -%}
  multiIf({{ field }} > 0, 'true', {{ field }} = 0, 'false', null)
{%- endmacro %}
{% macro bool_or(expression) -%} max({{ expression }}) > 0 {%- endmacro %}
{% macro listagg(measure, delimiter_text="','", order_by_clause=none, limit_num=none) -%}
  {%- set words = order_by_clause.split() if order_by_clause else [] -%}
  {%- if words | length > 4 or ',' in (order_by_clause or '') -%}
    {{ exceptions.raise_compiler_error("listagg orders by one column here, not by: " ~ order_by_clause) }}
  {%- endif -%}
  {%- set list = "groupArray(" ~ measure ~ ")" -%}
  {%- if words -%}
    {%- set down = "Reverse" if words[-1] | lower == "desc" else "" -%}
    {%- set list = "arrayMap(p -> p.1, array" ~ down ~ "Sort(p -> p.2, groupArray((" ~ measure ~ ", " ~ words[2] ~ "))))" -%}
  {%- endif -%}
  {%- if limit_num -%} {%- set list = "arraySlice(" ~ list ~ ", 1, " ~ limit_num ~ ")" -%} {%- endif -%}
  arrayStringConcat({{ list }}, {{ delimiter_text }})
{%- endmacro %}
{% macro split_part(string_text, delimiter_text, part_number) -%}
  splitByString({{ delimiter_text }}, {{ string_text }})[{{ part_number }}]
{%- endmacro %}
{% macro safe_cast(field, type) -%} cast({{ field }} as {{ type }}) {%- endmacro %}
{% macro any_value(expression) -%} any({{ expression }}) {%- endmacro %}
)jinja";

// Spark's texts in double quotes are texts, and a backslash escapes in them.
constexpr const char* kSpark = R"jinja(
{% macro type_string() %}string{% endmacro %}
{% macro type_float() %}float{% endmacro %}
{% macro type_int() %}int{% endmacro %}
{% macro current_timestamp() %}current_timestamp(){% endmacro %}
{% macro date(year, month, day) -%} make_date({{ year }}, {{ month }}, {{ day }}) {%- endmacro %}
{% macro dateadd(datepart, interval, from_date_or_timestamp) -%}
  {%- set days = {"day": 1, "week": 7} -%}
  {%- set months = {"month": 1, "quarter": 3, "year": 12} -%}
  {%- set seconds = {"hour": 3600, "minute": 60, "second": 1} -%}
  {%- set from = from_date_or_timestamp -%}
  {%- set clock = "to_unix_timestamp(to_timestamp(" ~ from ~ ")) - to_unix_timestamp(date(" ~ from ~ "))" -%}
  {%- if datepart in days -%}
    to_timestamp({{ clock }} + to_unix_timestamp(
      date_add(date({{ from }}), cast({{ interval }} * {{ days[datepart] }} as int))))
  {%- elif datepart in months -%}
    to_timestamp({{ clock }} + to_unix_timestamp(
      add_months(date({{ from }}), cast({{ interval }} * {{ months[datepart] }} as int))))
  {%- elif datepart in seconds -%}
    to_timestamp(to_unix_timestamp(to_timestamp({{ from }})) + cast({{ interval }} * {{ seconds[datepart] }} as int))
  {%- else -%}
    {{ exceptions.raise_compiler_error("dateadd does not know the part " ~ datepart ~ " on Spark") }}
  {%- endif -%}
{%- endmacro %}
{% macro datediff(first_date, second_date, datepart) -%}
  {%- if datepart not in ("year", "quarter", "month", "week", "day", "hour", "minute", "second") -%}
    {{ exceptions.raise_compiler_error("datediff does not know the part " ~ datepart ~ " on Spark") }}
  {%- endif -%}
  {%- set a = first_date -%}
  {%- set b = second_date -%}
  {%- if datepart == "day" -%} datediff(date({{ b }}), date({{ a }}))
  {%- elif datepart == "week" -%}
    cast(datediff(date_sub(date({{ b }}), dayofweek({{ b }}) - 1),
                  date_sub(date({{ a }}), dayofweek({{ a }}) - 1)) / 7 as bigint)
  {%- elif datepart == "month" -%}
    cast(12 * (year({{ b }}) - year({{ a }})) + month({{ b }}) - month({{ a }}) as bigint)
  {%- elif datepart == "quarter" -%}
    cast(4 * (year({{ b }}) - year({{ a }})) + quarter({{ b }}) - quarter({{ a }}) as bigint)
  {%- elif datepart == "year" -%} (year({{ b }}) - year({{ a }}))
  {%- else -%}
    {%- set divisor = {"hour": 3600, "minute": 60, "second": 1}[datepart] -%}
    {%- set from = "to_unix_timestamp(to_timestamp(" ~ a ~ "))" -%}
    {%- set to = "to_unix_timestamp(to_timestamp(" ~ b ~ "))" -%}
    case when {{ a }} < {{ b }} then ceil(({{ to }} - {{ from }}) / {{ divisor }})
         else floor(({{ to }} - {{ from }}) / {{ divisor }}) end
  {%- endif -%}
{%- endmacro %}
{% macro last_day(date, datepart) -%}
  cast({{ dateadd('day', '-1', dateadd(datepart, '1', date_trunc(datepart, date))) }} as date)
{%- endmacro %}
{% macro concat(fields) -%} concat({{ fields | join(', ') }}) {%- endmacro %}
{% macro hash(field) -%} md5(cast({{ field }} as string)) {%- endmacro %}
{% macro cast_bool_to_text(field) -%} cast({{ field }} as string) {%- endmacro %}
{% macro escape_single_quotes(value) -%} {{ value | replace("'", "\\'") }} {%- endmacro %}
{% macro bool_or(expression) -%} max({{ expression }}) {%- endmacro %}
{% macro any_value(expression) -%} first({{ expression }}) {%- endmacro %}
{% macro safe_cast(field, type) -%} cast({{ field }} as {{ type }}) {%- endmacro %}
{% macro split_part(string_text, delimiter_text, part_number) -%}
  split_part({{ string_text }}, {{ delimiter_text }}, {{ part_number }})
{%- endmacro %}
{% macro listagg(measure, delimiter_text="','", order_by_clause=none, limit_num=none) -%}
  {%- if order_by_clause -%}
    {{ exceptions.raise_compiler_error("listagg has no order on Spark: leave order_by_clause out") }}
  {%- endif -%}
  {%- set list = "collect_list(" ~ measure ~ ")" -%}
  {%- if limit_num -%} {%- set list = "slice(" ~ list ~ ", 1, " ~ limit_num ~ ")" -%} {%- endif -%}
  array_join({{ list }}, {{ delimiter_text }})
{%- endmacro %}
)jinja";

}  // namespace

std::string BuiltinMacros(const std::string& adapter) {
  const char* own = adapter == "postgres"     ? kPostgres
                    : adapter == "clickhouse" ? kClickHouse
                    : adapter == "spark"      ? kSpark
                                              : kDuckDb;
  return std::string(kCommon) + own;
}

}  // namespace millrace::dbt
