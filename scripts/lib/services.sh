# A private PostgreSQL, Redis and S3 server in a temporary folder, gone when the script ends.
# shellcheck shell=bash disable=SC2034 # the addresses are used by the script that sources this

service_folder=
service_ids=()

# start_services BIN : BIN is the folder of PostgreSQL's programs. Sets `postgres_url`, `redis_url` and, where there is such
# a server, `s3_url`.
start_services() {
  service_folder=$(mktemp -d "${TMPDIR:-/tmp}/gateway-test.XXXXXX")
  service_user
  start_postgres "$1"
  start_redis
  start_s3
}

# Whom services run as where we are root, which PostgreSQL refuses to be; nobody is named where we are not.
service_account() {
  ((EUID == 0)) || return 0
  if getent passwd postgres >/dev/null; then echo postgres; else echo nobody; fi
}

# setpriv becomes the command that it runs, so `$!` is the server itself, and
# has the kernel end the server when this script dies, however it dies.
service_user() {
  as_service=(setpriv --pdeathsig=INT)
  local user
  user=$(service_account)
  [[ -n $user ]] || return 0
  as_service=(setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups --pdeathsig=INT)
  chown "$user" "$service_folder"
  (cd / && "${as_service[@]}" test -w "$service_folder") ||
    die 1 "user $user cannot reach $service_folder: set TMPDIR to a folder that everyone may enter"
}

# In the folder `/`, because the service's user may not be allowed into the tree.
serve() { cd / && exec "${as_service[@]}" "$@"; }

start_postgres() {
  local bin=$1 log=$service_folder/postgres.log attempt id port
  (serve "$bin/initdb" --pgdata "$service_folder/postgres" --username gateway --auth trust \
    --encoding UTF8 --locale C.UTF-8 --no-sync) >"$log" 2>&1 || { cat "$log" >&2; die 1 "initdb failed"; }

  for attempt in {1..20}; do
    port=$(random_port)
    # Durability is what the tests are about: fsync and synchronous_commit stay on.
    (serve "$bin/postgres" -D "$service_folder/postgres" -p "$port" -k "$service_folder" \
      -c listen_addresses=127.0.0.1 -c max_connections=200 -c shared_buffers=64MB) >>"$log" 2>&1 &
    id=$!
    service_ids+=("$id")
    if ready_while_alive "$id" "$bin/psql" -h "$service_folder" -p "$port" -U gateway -d postgres -qc 'select 1'; then
      "$bin/psql" -h "$service_folder" -p "$port" -U gateway -d postgres -qc 'create database gateway_test'
      postgres_url=postgres://gateway@127.0.0.1:$port/gateway_test
      return 0
    fi
    warn "PostgreSQL did not start on port $port (attempt $attempt)"
  done
  cat "$log" >&2
  die 1 "PostgreSQL did not start"
}

start_redis() {
  local log=$service_folder/redis.log socket=$service_folder/redis.sock attempt id port
  for attempt in {1..20}; do
    port=$(random_port)
    (serve redis-server --port "$port" --bind 127.0.0.1 --protected-mode yes --unixsocket "$socket" \
      --dir "$service_folder" --save '' --appendonly no) >>"$log" 2>&1 &
    id=$!
    service_ids+=("$id")
    if ready_while_alive "$id" redis-cli -s "$socket" --no-raw ping; then
      redis_url=redis://127.0.0.1:$port/0
      return 0
    fi
    warn "Redis did not start on port $port (attempt $attempt)"
  done
  cat "$log" >&2
  die 1 "Redis did not start"
}

# moto, which no Debian package brings: where it is missing, the claims about media are held against a folder and a small
# server of the tests' own. Not as the services' user, who may not be allowed to where Python's packages are. A shell has
# what it starts in the background ignore INT, and Python keeps to that unless it is told otherwise.
start_s3() {
  local log=$service_folder/s3.log attempt id port
  s3_url=
  moto_server --help >/dev/null 2>&1 || return 0
  for attempt in {1..20}; do
    port=$(random_port)
    (cd / && exec setpriv --pdeathsig=INT env --default-signal=INT moto_server -H 127.0.0.1 -p "$port") >>"$log" 2>&1 &
    id=$!
    service_ids+=("$id")
    if ready_while_alive "$id" grep -q "Running on http://127.0.0.1:$port" "$log"; then
      s3_url=http://127.0.0.1:$port
      return 0
    fi
    warn "the S3 server did not start on port $port (attempt $attempt)"
  done
  cat "$log" >&2
  die 1 "the S3 server did not start"
}

# Below the range that the kernel hands out to outgoing connections. Whether it is free is decided by the
# server that binds it, so nobody can take it in between: a server that cannot bind ends, and another port
# is tried. Readiness is asked through the socket in our folder, so a stranger's server is never taken for ours.
random_port() { echo $((20000 + RANDOM % 12000)); }

# ready_while_alive ID COMMAND… : true once the command succeeds; false if the process ends or 30 s pass.
ready_while_alive() {
  local id=$1
  shift
  for _ in {1..300}; do
    kill -0 "$id" 2>/dev/null || return 1
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.1
  done
  return 1
}

# stop_services LOGS : ends what was started, keeps the logs in the folder LOGS, removes the rest.
stop_services() {
  [[ -n $service_folder ]] || return 0
  local id
  for id in ${service_ids[@]+"${service_ids[@]}"}; do
    kill -INT "$id" 2>/dev/null || true
  done
  for id in ${service_ids[@]+"${service_ids[@]}"}; do
    for _ in {1..100}; do
      kill -0 "$id" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL "$id" 2>/dev/null || true
  done
  cp "$service_folder"/*.log "$1"/ 2>/dev/null || true
  rm -rf "$service_folder"
  service_folder=
}
