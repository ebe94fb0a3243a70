# kill -9 when a node has written its rows and has not committed them; sourced by tests that have
# $binary, fail and ok.
#
#   test_kills DIRECTORY PROFILE FILE ASK    makes a project with that profiles.yml; ASK prints a query's
#                                            row as a|b|c; FILE is one that the database can write
#
# A post_hook, which belongs to the node's transaction, has the database write FILE, and the next one
# runs for days. So the kill hits the same place however fast the machine is; then `retry` finishes.
make_kills() { # directory profile
  mkdir -p "$1/models" "$1/macros" "$1/seeds" "$1/snapshots"
  printf '%s\n' "$2" > "$1/profiles.yml"
  cat > "$1/dbt_project.yml" << 'YML'
name: kills
version: '1.0'
profile: kills
models: &hooks
  kills:
    +post_hook: ["{{ reached() }}", "{{ hold() }}"]
seeds: *hooks
snapshots: *hooks
YML
  cat > "$1/macros/hold.sql" << 'SQL'
{% macro reached() %}{% if env_var('HOLD', '') %}copy (select 1 as reached) to '{{ env_var('HOLD') }}'{% endif %}{% endmacro %}
{% macro hold() %}{% if env_var('HOLD', '') %}
{% if target.type == 'postgres' %}select pg_sleep(1000000)
{% else %}select count(*) from range(100000000) a, range(100000000) b{% endif %}
{% endif %}{% endmacro %}
SQL
  local name=merged strategy
  for strategy in merge delete+insert; do
    printf "{{ config(materialized='incremental', unique_key='n', incremental_strategy='%s') }}
select n, {{ var('value', 1) }} as value from {{ ref('numbers') }}\n" "$strategy" > "$1/models/$name.sql"
    name=replaced
  done
  cat > "$1/snapshots/versions.sql" << 'SQL'
{% snapshot versions %}
{{ config(unique_key='n', strategy='check', check_cols=['value']) }}
select n, {{ var('value', 1) }} as value from {{ ref('numbers') }}
{% endsnapshot %}
SQL
  seed_of "$1" 1
}

seed_of() { # directory value
  { echo n,value; seq 1 2000 | sed "s/\$/,$2/"; } > "$1/seeds/numbers.csv"
}

test_kills() { # directory profile file ask
  local directory=$1 file=$3 ask=$4 node process query digest
  make_kills "$directory" "$2"
  "$binary" build "$directory" > "$directory/log" 2>&1 || { cat "$directory/log"; fail "the first build"; }
  for node in numbers merged replaced versions; do
    query="SELECT count(*), count(DISTINCT n), min(value), max(value) FROM $node"
    [ "$node" != versions ] || query="SELECT count(*), count(dbt_valid_to), min(value), max(value) FROM versions"
    [ "$node" != numbers ] || seed_of "$directory" 2
    rm -f "$file"
    HOLD=$file "$binary" build "$directory" -s "$node" --vars '{value: 2}' > "$directory/log" 2>&1 &
    process=$!
    until [ -s "$file" ]; do
      kill -0 "$process" 2> /dev/null || { cat "$directory/log"; fail "$node ended before it could be killed"; }
      sleep 0.02
    done
    kill -9 "$process"
    wait "$process" 2> /dev/null || true
    digest=$($ask "$query")
    case $node:$digest in
      versions:"2000|0|1|1" | *:"2000|2000|1|1") ;;
      *) fail "$node after kill -9 before its commit: $digest" ;;
    esac
    "$binary" retry "$directory" > "$directory/log" 2>&1 || { cat "$directory/log"; fail "retry of $node"; }
    digest=$($ask "$query")
    case $node:$digest in
      versions:"4000|2000|1|2" | *:"2000|2000|2|2") ;;
      *) fail "$node after its retry: $digest" ;;
    esac
  done
  ok "kill -9 before a commit: seed, merge, delete+insert and snapshot are as before, and retry finishes"
}
