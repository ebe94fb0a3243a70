# kill -9, and Ctrl-C, when a node, and then three at once, has written its rows and has not committed
# them; sourced by tests that have $binary, fail and ok.
#
#   test_kills DIRECTORY PROFILE FILE ASK    makes a project with that profiles.yml; ASK prints a query's
#                                            row as a|b|c; FILE.<node> is one that the database can write
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
{% macro reached() %}{% if env_var('HOLD', '') %}copy (select 1 as reached) to '{{ env_var('HOLD') }}.{{ this.identifier }}'{% endif %}{% endmacro %}
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

# Starts `build` of the nodes, and returns when each of them holds its transaction open.
hold() { # directory file value threads node…
  local directory=$1 file=$2 value=$3 threads=$4 node
  shift 4
  rm -f "$file".*
  HOLD=$file "$binary" build "$directory" -s "$*" --vars "{value: $value}" --threads "$threads" > "$directory/log" 2>&1 &
  process=$!
  for node; do
    until [ -s "$file.$node" ]; do
      kill -0 "$process" 2> /dev/null || { cat "$directory/log"; fail "$node ended before it could be stopped"; }
      sleep 0.02
    done
  done
}

expect_rows() { # when node ask rows|distinct n (of versions: those that ended)|lowest value|highest
  local distinct="DISTINCT n" digest
  [ "$2" != versions ] || distinct=dbt_valid_to
  digest=$($3 "SELECT count(*), count($distinct), min(value), max(value) FROM $2")
  [ "$digest" = "$4" ] || fail "$2 $1: $digest, not $4"
}

retried() { # directory
  "$binary" retry "$1" > "$1/log" 2>&1 || { cat "$1/log"; fail "retry"; }
}

test_kills() { # directory profile file ask
  local directory=$1 file=$3 ask=$4 node process stop
  make_kills "$directory" "$2"
  "$binary" build "$directory" > "$directory/log" 2>&1 || { cat "$directory/log"; fail "the first build"; }
  for node in numbers merged replaced versions; do
    [ "$node" != numbers ] || seed_of "$directory" 2
    hold "$directory" "$file" 2 1 "$node"
    kill -9 "$process"
    wait "$process" 2> /dev/null || true
    case $node in
      versions) expect_rows "after kill -9 before its commit" versions "$ask" "2000|0|1|1" ;;
      *) expect_rows "after kill -9 before its commit" "$node" "$ask" "2000|2000|1|1" ;;
    esac
    retried "$directory"
    case $node in
      versions) expect_rows "after its retry" versions "$ask" "4000|2000|1|2" ;;
      *) expect_rows "after its retry" "$node" "$ask" "2000|2000|2|2" ;;
    esac
  done
  ok "kill -9 before a commit: seed, merge, delete+insert and snapshot are as before, and retry finishes"
  for stop in KILL INT; do
    hold "$directory" "$file" 3 4 merged replaced versions
    kill -"$stop" "$process"
    wait "$process" 2> /dev/null && fail "a run that was stopped must not end well"
    if [ "$stop" = INT ]; then
      [ "$(grep -c "broken off because the run was stopped" "$directory/log")" = 3 ] || { cat "$directory/log"; fail "all three must be broken off"; }
    fi
    expect_rows "after $stop" merged "$ask" "2000|2000|2|2"
    expect_rows "after $stop" replaced "$ask" "2000|2000|2|2"
    expect_rows "after $stop" versions "$ask" "4000|2000|1|2"
  done
  retried "$directory"
  grep -qF "PASS=3 WARN=0 ERROR=0 SKIP=0 TOTAL=3" "$directory/log" || { cat "$directory/log"; fail "retry of three"; }
  expect_rows "after the retry" merged "$ask" "2000|2000|3|3"
  expect_rows "after the retry" replaced "$ask" "2000|2000|3|3"
  expect_rows "after the retry" versions "$ask" "6000|4000|1|3"
  ok "kill -9 and Ctrl-C with three nodes at work: all as before, and retry finishes"
}
