# What the benchmarks share; sourced by script/bench and script/bench-live. Uses: url, directory, mover.
# shellcheck shell=bash

say() { echo "bench: $*" >&2; }

build() {
  corridor=$binary
  if [ -z "$corridor" ]; then
    say "building (release)"
    cargo build --release --locked --quiet -p corridor
    corridor=target/release/corridor
  fi
}

# --- a throwaway server ---------------------------------------------------------------------------------------

start_server() {
  bin=''
  for major in 15 16 17 18 14; do
    for dir in "/usr/lib/postgresql/$major/bin" ".servers/$major/bin"; do
      if [ -z "$bin" ] && [ -x "$dir/initdb" ]; then bin=$(cd "$dir" && pwd); fi
    done
  done
  [ -n "$bin" ] || { echo "script/bench: no PostgreSQL found; script/setup gets one" >&2; exit 1; }
  directory=$(mktemp -d /tmp/corridor-bench.XXXXXX)
  as_user=(env)
  if [ "$(id -u)" = 0 ]; then
    local user=postgres
    id -u postgres >/dev/null 2>&1 || user=nobody
    chown "$user" "$directory"
    as_user=(runuser -u "$user" -- env)
  fi
  as_user+=("LD_LIBRARY_PATH=$(dirname "$bin")/lib" LC_ALL=C)
  stop_server() {
    # A move would wait a quarter of an hour for its server to come back.
    [ -z "${mover:-}" ] || kill -s KILL "$mover" 2>/dev/null || true
    (cd / && "${as_user[@]}" "$bin/pg_ctl" stop --silent --mode=immediate --pgdata="$directory/data") || true
    rm -rf "$directory"
  }
  trap stop_server EXIT
  (cd / && "${as_user[@]}" "$bin/initdb" --no-sync --locale=C.UTF-8 --encoding=UTF8 --auth=trust --username=bench \
    --pgdata="$directory/data" >/dev/null)
  # Durable, as a real server is. Room for the WAL of a run, and no autovacuum: both come when they like.
  local settings="-c listen_addresses='' -c unix_socket_directories=$directory -c shared_buffers=1GB \
    -c max_wal_size=16GB -c checkpoint_timeout=1h -c autovacuum=off -c maintenance_work_mem=256MB"
  (cd / && "${as_user[@]}" "$bin/pg_ctl" start --silent --wait --pgdata="$directory/data" --log="$directory/log" --options="$settings")
  url="host=$directory user=bench dbname=postgres"
}
sql() { psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --dbname="$url" "$@"; }
connect() {
  [ -n "$url" ] || start_server
  sql -c 'select 1' >/dev/null || { echo "script/bench: cannot connect with psql to $url" >&2; exit 3; }
}

# pg_repack of the server's major, or nothing.
repack() {
  if [ -x "${bin:-}/pg_repack" ]; then echo "$bin/pg_repack"; fi
}
