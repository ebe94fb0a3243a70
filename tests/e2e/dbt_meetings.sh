# Nodes that get in each other's way when they run at once: hooks that update one row, schemas that do
# not exist yet, names that are alike up to their end or equal in two schemas, snapshots side by side;
# sourced by tests that have $binary, fail and ok.
#
#   test_meetings DIRECTORY PROFILE ASK    makes a project with that profiles.yml; ASK prints a query's
#                                          row as a|b|c
make_meetings() { # directory profile
  local i
  mkdir -p "$1/models" "$1/snapshots"
  printf '%s\n' "$2" > "$1/profiles.yml"
  cat > "$1/dbt_project.yml" << 'YML'
name: meet
version: '1.0'
profile: meet
on-run-start:
  - create schema if not exists {{ target.schema }}
  - create table if not exists {{ target.schema }}.audit as select 0 as n
models: &hooks
  meet:
    +post_hook: update {{ target.schema }}.audit set n = n + 1
snapshots: *hooks
YML
  for i in 0 1 2 3 4 5; do
    cat > "$1/models/a_name_whose_first_fifty_characters_are_those_of_another_$i.sql" << SQL
{{ config(materialized='incremental', unique_key='n', schema='s$((i % 3))') }}
select $i as part, {{ var('value', 1) }} as value, n from (values (1), (2), (3)) as t(n)
SQL
    cat > "$1/models/same_$i.sql" << SQL
{{ config(materialized='table', schema='t$i', alias='same') }}
select $i as part, {{ var('value', 1) }} as value
SQL
    cat > "$1/snapshots/versions_$i.sql" << SQL
{% snapshot versions_$i %}
{{ config(unique_key='n', strategy='check', check_cols=['value'], target_schema=target.schema ~ '_v') }}
select $i as part, {{ var('value', 1) }} as value, n from (values (1), (2)) as t(n)
{% endsnapshot %}
SQL
  done
}

test_meetings() { # directory profile ask
  local directory=$1 ask=$3 schema run i right
  make_meetings "$directory" "$2"
  schema=$(sed -n 's/.*schema: \([a-z]*\).*/\1/p' <<< "$2" | head -1)
  for run in 1 2 3; do
    "$binary" build "$directory" --threads 8 --vars "{value: $run}" > "$directory/log" 2>&1 ||
      { cat "$directory/log"; fail "nodes that meet, run $run"; }
    grep -qF "PASS=18 WARN=0 ERROR=0 SKIP=0 TOTAL=18" "$directory/log" || fail "nodes that meet, run $run: not 18 of 18"
    right="SELECT CAST(n = $((18 * run)) AS integer) AS is_right FROM $schema.audit"
    for i in 0 1 2 3 4 5; do
      right+=" UNION ALL SELECT CAST(count(*) = 3 AND min(part) = $i AND max(part) = $i AND min(value) = $run AND
          max(value) = $run AS integer)
        FROM ${schema}_s$((i % 3)).a_name_whose_first_fifty_characters_are_those_of_another_$i
        UNION ALL SELECT CAST(count(*) = 1 AND min(part) = $i AND min(value) = $run AS integer) FROM ${schema}_t$i.same
        UNION ALL SELECT CAST(count(*) = $((2 * run)) AND count(dbt_valid_to) = $((2 * run - 2)) AND min(part) = $i AND
          max(part) = $i AND max(value) = $run AS integer) FROM ${schema}_v.versions_$i"
    done
    [ "$($ask "SELECT count(*), sum(is_right) FROM ($right) AS looked_at")" = "19|19" ] ||
      fail "run $run: $($ask "SELECT string_agg(is_right::varchar, '') FROM ($right) AS looked_at"): the hooks' count, then each number's three"
  done
  ok "eight threads on one audit row, on new schemas, on names alike: each node once and its own rows"
}
