# Shared by the scripts beside this folder: where the tree is, how to say things, timed steps.
# shellcheck shell=bash disable=SC2034 # used by the scripts that source this

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
artifacts=$(realpath -m "${GATEWAY_TEST_ARTIFACTS:-$root/artifacts}")

say() { printf '\n==> %s\n' "$*"; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# die CODE MESSAGE…
die() {
  local code=$1
  shift
  warn "$*"
  exit "$code"
}

steps=()
failed=0
group=

# step NAME COMMAND… runs one check under a heading and remembers how long it took. A failing check does
# not stop the next one: one run shows everything that is wrong.
step() {
  local name=$1 began=$SECONDS outcome=ok
  shift
  say "$name"
  in_group "$@" || { outcome=FAILED; failed=1; }
  steps+=("$(printf '%-34s %-6s %5d s' "$name" "$outcome" "$((SECONDS - began))")")
}

# The command gets a process group of its own, so that whatever it has started can be ended with it, and
# is waited for with `wait`, which a signal interrupts: a plain foreground command would hold up the trap.
in_group() {
  local code=0
  set -m
  "$@" </dev/null &
  group=$!
  set +m
  wait "$group" || code=$?
  group=
  return "$code"
}

end_group() {
  [[ -n $group ]] || return 0
  kill -TERM -- "-$group" 2>/dev/null || true
  for _ in {1..50}; do
    kill -0 -- "-$group" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -KILL -- "-$group" 2>/dev/null || true
}

summary() {
  say "Summary"
  printf '%s\n' ${steps[@]+"${steps[@]}"}
}
