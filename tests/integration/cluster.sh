# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts that need a whole cluster: starts a real arbiterd and real agents in a folder of
# their own, over ipc sockets, and ends at exit what it started, by process id.
#
#   cluster_make                 folder, keys of arbiterd and of the administrator root
#   cluster_key NAME ROLE        one more key
#   cluster_start [SETTING...]   arbiterd, waits until it answers
#   cluster_agent NODE DRIVER [OPTION...]
#   a WORDS...                   arbiter as root; as NAME words...: as another principal
#   until_ok SECONDS COMMAND...  waits for a condition
#   check WHAT COMMAND...        counts; fail WHAT
set -u
build=${ARBITER_BUILD:-$PWD/build/release}
bin=$build/bin
declare -A agents
cluster_pids=()
arbiterd_pid=
failures=0 checks=0

cluster_make() {
  dir=$(mktemp -d /tmp/arbiter-test-XXXXXX)
  mkdir -p "$dir/keys" "$dir/state"
  trap cluster_end EXIT
  "$bin/arbiter" keys make arbiterd -q --out "$dir/keys/arbiterd.key" >/dev/null || exit 1
  cluster_key root administrator
}

cluster_end() {
  local code=$? pid
  for pid in "${cluster_pids[@]+"${cluster_pids[@]}"}"; do kill "$pid" 2>/dev/null; done
  for pid in "${cluster_pids[@]+"${cluster_pids[@]}"}"; do wait "$pid" 2>/dev/null; done
  if [[ $code != 0 && $code != 77 ]] || [[ $failures -gt 0 ]]; then
    echo "--- logs"
    tail -n 15 "$dir"/*.log 2>/dev/null
  fi
  type cluster_cleanup >/dev/null 2>&1 && cluster_cleanup
  rm -rf "$dir"
}

cluster_key() {
  "$bin/arbiter" keys make "$1" -q --out "$dir/keys/$1.key" >/dev/null &&
    "$bin/arbiter" keys enrol -q "$1" "$dir/keys/$1.pub" --role "$2" --keyring "$dir/keys/keyring" || exit 1
}

cluster_start() {
  local sets=() word
  for word in "$@"; do sets+=(-s "$word"); done
  "$bin/arbiterd" -s listen.control="ipc://$dir/control" -s listen.telemetry="ipc://$dir/telemetry" \
    -s listen.api="ipc://$dir/api" -s listen.events="ipc://$dir/events" -s key="$dir/keys/arbiterd.key" \
    -s keyring="$dir/keys/keyring" -s state="$dir/state" "${sets[@]+"${sets[@]}"}" 2>>"$dir/arbiterd.log" &
  arbiterd_pid=$!
  cluster_pids+=("$arbiterd_pid")
  until_ok 20 a status || { echo "arbiterd does not answer"; exit 1; }
}

cluster_agent() { # NODE DRIVER [OPTION...]
  local node=$1 driver=$2
  shift 2
  mkdir -p "$dir/agent-$node"
  [[ -f $dir/keys/$node.key ]] || cluster_key "$node" agent
  "$bin/arbiter-agent" --node "$node" --driver "$driver" --driver-folder "$build/lib/arbiter" \
    --control "ipc://$dir/control" --telemetry "ipc://$dir/telemetry" --key "$dir/keys/$node.key" \
    --server-key "$dir/keys/arbiterd.pub" --state "$dir/agent-$node" "$@" 2>>"$dir/agent-$node.log" &
  agents[$node]=$!
  cluster_pids+=("$!")
}

as() {
  local who=$1
  shift
  "$bin/arbiter" -H "ipc://$dir/api" --key "$dir/keys/$who.key" --server-key "$dir/keys/arbiterd.pub" "$@"
}
a() { as root "$@"; }

until_ok() {
  local until=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [[ $SECONDS -lt $until ]] || return 1
    read -rt 0.1 <> <(:)
  done
  return 0 # not that of the last read
}

pass() { checks=$((checks + 1)); echo "ok      $1"; }
fail() {
  checks=$((checks + 1)) failures=$((failures + 1))
  echo "FAILED  $1"
}
check() { # returns whether it held
  local what=$1
  shift
  if "$@"; then pass "$what"; else fail "$what"; return 1; fi
}
# exits CODE COMMAND...: the command ends with this code; its output is kept in $out.
exits() {
  local want=$1 code
  shift
  out=$("$@" 2>&1)
  code=$?
  [[ $code == "$want" ]] || { echo "        exit $code instead of $want: $out" | head -8; return 1; }
}
has() { grep -qF -- "$1" <<<"$out" || { echo "        no \"$1\" in: $out" | head -12; return 1; }; }
finish() {
  echo "$((checks - failures)) of $checks held"
  [[ $failures == 0 ]]
}
