#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The command line as its users meet it: every form of output of every reading verb, exit codes, waiting
# and Ctrl-C, files and mistakes, completion, the live view on a terminal. A real arbiterd, real agents.
cd "$(dirname "$0")/../.." || exit 1
. tests/integration/cluster.sh
cluster_make
cluster_key alice provider
"$bin/arbiter" keys make mallory -q --out "$dir/keys/mallory.key" >/dev/null # never enrolled
export LC_ALL=C.UTF-8
unset NO_COLOR

# ---- without an orchestrator ----
check "without words it is help, exit 0" exits 0 "$bin/arbiter"
check "... with the verbs" has confirm-dead
for verb in init explain plan apply get show status top events why set start stop reboot delete pause resume \
  suspend restore move cordon uncordon drain confirm-dead wait mode keys version help completion; do
  exits 0 "$bin/arbiter" help $verb && has "arbiter $verb" || fail "help $verb"
done
pass "help VERB for each verb"
check "version" exits 0 "$bin/arbiter" --version
check "... says protocol and schema" grep -qE "^arbiter [0-9.]+ +protocol [0-9]+ +schema [0-9]+$" <<<"$out"
check "a verb that is none is exit 2" exits 2 "$bin/arbiter" aply -f x
check "... with a suggestion" has 'did you mean "apply"?'
check "an option that is none is exit 2" exits 2 "$bin/arbiter" status --tiemout 5s
check "... with a suggestion" has 'did you mean "--timeout"?'
check "an option without its value is exit 2" exits 2 "$bin/arbiter" status -o
check "a switch takes no value" exits 2 "$bin/arbiter" events --follow=yes
check "a number must be one" exits 2 "$bin/arbiter" top -b -n x
check "a form that is none is exit 2" exits 2 "$bin/arbiter" get svc -o xml
check "a type that is none is exit 2" exits 2 "$bin/arbiter" get servces
check "... with a suggestion" has 'did you mean "services"?'
check "a time that is none is exit 2" exits 2 "$bin/arbiter" mode hold --for soon
check "nothing there is exit 5" exits 5 a status
check "... with a hint" has "hint: systemctl status arbiterd"
exits 5 a status -o json >/dev/null
errors_as_json() {
  a get svc -o json 2>/dev/null | python3 -c 'import json, sys; e = json.load(sys.stdin)["error"]
assert e["code"] == 5 and e["reason"] and e["text"] and isinstance(e["facts"], list) and e["hints"], e'
}
check "an error with -o json is one object" errors_as_json
check "a missing key file is exit 4" exits 4 "$bin/arbiter" -H "ipc://$dir/api" --key "$dir/nokey" status
check "... with what to do" has "hint: arbiter keys make"
check "an endpoint that is none is exit 2" exits 2 "$bin/arbiter" -H nonsense --key "$dir/keys/root.key" --server-key "$dir/keys/arbiterd.pub" status
for kind in web queue cluster site; do
  "$bin/arbiter" init $kind >"$dir/init-$kind.yaml" || fail "init $kind"
done
check "init of something else is exit 2" exits 2 "$bin/arbiter" init mpi
explain_all() { # every path that completion knows
  local todo=("") path word seen=0
  while [[ ${#todo[@]} -gt 0 ]]; do
    path=${todo[-1]}
    unset "todo[-1]"
    "$bin/arbiter" explain $path >"$dir/explained" || { echo "$path"; return 1; }
    seen=$((seen + 1))
    [[ $seen -lt 500 ]] || return 1
    [[ -z $path ]] || grep -q "^fields:" "$dir/explained" || continue # words of an enumeration
    for word in $("$bin/arbiter" __complete explain "${path:+$path.}"); do todo+=("$word"); done
  done
  [[ $seen -gt 60 ]] || { echo "only $seen paths"; return 1; }
}
check "explain knows each path of the schema" explain_all
check "explain of a path that is none is exit 3" exits 3 "$bin/arbiter" explain service.objectve

# ---- keys ----
keys() { "$bin/arbiter" keys "$@"; }
check "a key file is never overwritten: exit 8" exits 8 keys make root --out "$dir/keys/root.key"
check "a key in a folder that is not there is no success" bash -c "! '$bin/arbiter' keys make x --out '$dir/no/x.key' 2>/dev/null"
check "enrol needs a role" exits 2 keys enrol x "$dir/keys/root.pub" --keyring "$dir/keys/keyring"
check "... one that exists" exits 2 keys enrol x "$dir/keys/root.pub" --role king --keyring "$dir/keys/keyring"
check "an enrolled key is not enrolled again: exit 8" exits 8 keys enrol root2 "$dir/keys/root.pub" --role observer --keyring "$dir/keys/keyring"
check "revoking nobody is exit 3" exits 3 keys revoke nobody --keyring "$dir/keys/keyring"
check "list" exits 0 keys list --keyring "$dir/keys/keyring"
check "... has the names" has alice
echo nonsense >"$dir/bad.pub"
check "a file that is no key is exit 2" exits 2 keys enrol x "$dir/bad.pub" --role agent --keyring "$dir/keys/keyring"

# ---- a cluster ----
cluster_start mode=act control_period=1s lease=3s lease_margin=1s snapshot=1s
echo "shop 2" >"$dir/load"
for node in n1 n2 a-node-with-a-rather-long-name.example.org; do
  cluster_agent "$node" "model:cpus=2,memory=2GiB,boot=200ms,request_cpu=10ms,load=$dir/load"
done
check "wait for a node that is not there yet" exits 0 a wait node/n1 --for up --timeout 20s
check "... and the others" exits 0 a wait node/n2 --timeout 20s
check "... and the last" exits 0 a wait node/a-node-with-a-rather-long-name.example.org --timeout 20s
check "a key that is not enrolled is exit 4" exits 4 as mallory status

# ---- empty lists ----
check "an empty list is exit 0" exits 0 a get svc -o json
empty() { [[ $(a get "$1" -o json 2>"$dir/err") == "[]" && $(a get "$1" -o csv --no-header 2>/dev/null) == "" ]] && grep -q "^no " "$dir/err"; }
for type in svc vm image storage network agreement decision; do
  empty $type || fail "an empty list of $type"
done
pass "empty lists are [], with a message on stderr"
check "CSV has its header without a row" [ "$(a get svc -o csv 2>/dev/null | cut -d, -f1-4)" == SERVICE,KIND,TARGET,MEASURED ]

# ---- files ----
mkdir "$dir/site"
write_service() { # NAME [MEMORY [P95]]
  cat <<EOS
version: 1
service: $1
kind: web
objective:
  response_time: {p95: ${3:-300ms}, window: 3s}
vms:
  - {name: web, count: 2, image: guest, vcpus: 1, cpu: {min: 0.2, max: 1.0}, memory: ${2:-128MiB}, spread: true}
EOS
}
write_service shop >"$dir/site/10-shop.yaml"
printf 'version: 1\nimage: guest\nformat: model\n---\nversion: 1\nagreement: alice\nweight: 2\n' >"$dir/site/20-site.yaml"
echo "not for us" >"$dir/site/README"
check "plan of objects that are not services" exits 0 a plan -f "$dir/site/20-site.yaml"
check "... says what would be" has "would be created"
check "changes are exit 10 where it is asked for" exits 10 a plan -f "$dir/site/20-site.yaml" --detailed-exitcode
check "a folder is applied in the order of what needs what" exits 0 a apply --wait --timeout 20s -f "$dir/site"
check "... following" has "2 of 2 VMs run"
check "... and again is unchanged" exits 0 a apply -f "$dir/site"
check "... all of it" [ "$(grep -c unchanged <<<"$out")" == 3 ]
check "no changes are exit 0" exits 0 a plan -f "$dir/site" --detailed-exitcode
check "- is standard input" exits 0 a apply -f - <"$dir/site/10-shop.yaml"
check "a file that is not there is exit 2" exits 2 a apply -f "$dir/nothing.yaml"
check "a folder without objects is exit 2" exits 2 a apply -f "$dir/keys"
check "no file is exit 2" exits 2 a apply
cat "$dir/site/10-shop.yaml" - "$dir/site/10-shop.yaml" <<<--- >"$dir/twice.yaml"
check "an object described twice is exit 2" exits 2 a apply -f "$dir/twice.yaml"
check "... and named" has "service/shop is described twice"
cat >"$dir/bad.yaml" <<'EOS'
version: 1
service: shop
kind: website
objective: {response_time: {p95: 200}}
vms:
  - {name: web, vcpu: 2, image: guest, memory: lots, count: -1}
EOS
check "five mistakes are exit 2" exits 2 a apply -f "$dir/bad.yaml"
check "... and five messages" [ "$(grep -c "bad.yaml:[0-9]*:[0-9]*:" <<<"$out")" == 5 ]
check "an image that does not exist is exit 7" exits 7 a plan -f <(write_service other | sed s/guest/nothing/)
check "what fits nowhere is exit 7" exits 7 a plan -f <(write_service other 64GiB)
for kind in web queue cluster site; do # they parse; whether they fit is another question
  exits 0 a plan -f "$dir/init-$kind.yaml" >/dev/null 2>&1 || grep -qv mistake <<<"$out" && ! grep -q "yaml:[0-9]*:" <<<"$out" || fail "init $kind does not parse: $out"
done
pass "what init prints can be read"
check "a round trip" exits 0 a apply -f <(a get svc shop -o yaml)
check "... changes nothing" has unchanged
check "... of an image too" exits 0 a apply -f <(a get image guest -o yaml)
check "... changes nothing" has unchanged
plan=$(a plan -f <(write_service other) -o json)
revision=$(python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["revision"])' <<<"$plan")
check "a plan with its revision" exits 0 a plan -f <(write_service other)
check "... says it" has "--at-revision $revision"
a apply -q -f <(write_service shop 128MiB 250ms) || fail "a change in between"
check "what was planned before a change is exit 8" exits 8 a apply -f <(write_service other) --at-revision "$revision"
check "... and says what changed" has "service shop changed at revision"
revision=$(a plan -f <(write_service other) -o json | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["revision"])')
(write_service other; echo ---; write_service third) >"$dir/two.yaml"
check "with the newest revision two services apply" exits 0 a apply -f "$dir/two.yaml" --at-revision "$revision" --wait --timeout 20s

# ---- set ----
check "set of a field" exits 0 a set svc/shop objective.response_time.p95=150ms
check "... really" grep -q "p95: 150ms" <(a get svc shop -o yaml)
check "set of the same is unchanged" exits 0 a set svc/shop objective.response_time.p95=150ms
check "... aloud" has unchanged
check "mistakes of set are exit 2" exits 2 a set svc/shop objective.respons_time.p95=150ms objective.weight=-1 nothing
check "... all at once" [ "$(grep -c "arbiter: error" <<<"$out")" == 3 ]
check "... with a suggestion" has 'did you mean "response_time"'
check "mistakes of a VM too" exits 2 a set vm/shop-web-1 cpus=1 memory=x weight=0
check "... all at once" [ "$(grep -c "arbiter: error" <<<"$out")" == 3 ]
check "set of nothing is exit 2" exits 2 a set svc/shop
check "set of an object that is not there is exit 3" exits 3 a set svc/nope objective.weight=2
check "a cap by hand" exits 0 a set vm/shop-web-1 cpu=0.5 weight=300

# ---- every form of every reading verb ----
reading=("get svc" "get vm" "get node" "get image" "get agreement" "get settings" "get decision" "get metric"
  "get storage" "get network" "get svc shop" "show svc/shop" "show vm/shop-web-1" "show node/n1" "show image/guest"
  "status" "top -b -n 1" "events" "why shop" "why node/n1" "why d-1" "plan -f $dir/site")
check "there are metrics" until_ok 10 bash -c "[[ -n \$('$bin/arbiter' -H 'ipc://$dir/api' --key '$dir/keys/root.key' --server-key '$dir/keys/arbiterd.pub' get metric -o name 2>/dev/null) ]]"
cat >"$dir/valid.py" <<'EOS'
# All that the reading verbs printed: FOLDER holds one file per verb and form, whose first line is the verb.
import csv, json, os, sys

def look(value, path):
    if isinstance(value, dict):
        for key, one in value.items():
            look(one, path + "." + key)
    elif isinstance(value, list):
        for one in value:
            look(one, path + "[]")
    else:
        assert value is not None or not path.endswith("s"), path + " is null, not a list"

bad = 0
for name in sorted(os.listdir(sys.argv[1])):
    with open(os.path.join(sys.argv[1], name)) as file:
        verb = file.readline().strip()
        try:
            if name.endswith(".json"):
                look(json.load(file), "")
            else:
                rows = list(csv.reader(file, strict=True))
                assert rows and all(title and title == title.upper() for title in rows[0]), "no header"
                assert all(len(row) == len(rows[0]) for row in rows), "rows of different length"
        except Exception as problem:
            print(verb, name, problem)
            bad = 1
sys.exit(bad)
EOS
valid_yaml() { grep -qE '^(- |[a-z_]+:|# |\[\])' && ! grep -q $'\t'; }
forms() {
  local verb form words at=0 bad=0
  mkdir "$dir/forms"
  for verb in "${reading[@]}"; do
    read -ra words <<<"$verb"
    at=$((at + 1))
    for form in table wide json yaml csv name; do
      a "${words[@]}" -o $form >"$dir/form" 2>"$dir/err" || { echo "$verb -o $form: exit $?: $(cat "$dir/err")"; bad=1; continue; }
      case $form in
      json | csv) { echo "$verb"; cat "$dir/form"; } >"$dir/forms/$at.$form" ;;
      yaml) [[ ! -s $dir/form ]] || valid_yaml <"$dir/form" ;;
      name) ! grep -q '[ ,{]' "$dir/form" ;;
      *) [[ -s $dir/form || -s $dir/err ]] && ! grep -q $'\033' "$dir/form" ;;
      esac || { echo "$verb -o $form: $(head -c 300 "$dir/form")"; bad=1; }
    done
  done
  python3 "$dir/valid.py" "$dir/forms" && [[ $bad == 0 ]]
}
check "every reading verb in every form" forms
members() { a "$@" -o json | python3 -c '
import json, sys
rows = json.load(sys.stdin)
row = rows[0] if isinstance(rows, list) else rows
missing = [name for name in sys.argv[1].split() if name not in row]
assert not missing, missing' "$want"; }
want="service kind objective vms owner revision status" check "JSON of a service has its file and its status" members get svc
want="vm node cap status" check "JSON of a VM has what its node sees" members get vm
want="object status vms events" check "JSON of show has its sections" members show svc/shop
want="cluster services nodes" check "JSON of status" members status
want="id caps levels text" check "JSON of a decision has its lists" members get decision
check "names of a list" [ "$(a get svc -o name | sort | tr '\n' ' ')" == "other shop third " ]
check "services of a node" [ "$(a get svc --node n1 -o name | grep -c .)" -ge 1 ]
check "VMs of a service" [ "$(a get vm --service shop -o name | grep -c .)" == 2 ]
check "one node by name" [ "$(a get node n1 -o name)" == n1 ]
check "an object that is not there is exit 3" exits 3 a get svc nope
check "... and a node" exits 3 a get node nope
check "... in show" exits 3 a show node/nope
check "the header can be left out" [ "$(a get svc shop -o csv --no-header | cut -d, -f1)" == shop ]
check "too many words are exit 2" exits 2 a get svc shop more
check "owner and revision are shown once" [ "$(a show svc/shop | grep -c "owner root")" == 1 ]

# ---- why ----
by_root=$(a get decision -o csv --no-header | awk -F, '$6 == "root" { print $1 }' | head -1)
check "why of a decision" exits 0 a why "$by_root"
check "... says who" has "by root"
check "why of one that is not there is exit 3" exits 3 a why d-999999
check "why of a node" exits 0 a why "node/$(a get vm shop-web-1 -o csv --no-header | cut -d, -f3)"
check "... has the decision about its VM" has shop-web-1
check "why of nothing known is exit 3" exits 3 a why nope
check "why of a VM says what it wants" exits 2 a why vm/shop-web-1

# ---- waiting ----
begin=$(date +%s%N)
check "what is not there is deleted" exits 0 a wait svc/nothing --for deleted --timeout 5s
check "waiting has its own exit code, 6" exits 6 a wait svc/nothing --for running --timeout 500ms
check "... and says what is" has "it does not exist"
check "... in time" [ $((($(date +%s%N) - begin) / 1000000)) -lt 4000 ]
check "a condition that is none is exit 2" exits 2 a wait svc/shop --for run
check "... of that type" exits 2 a wait node/n1 --for met
check "an image that is there is not deleted" exits 6 a wait image/guest --for deleted --timeout 300ms
a pause -q vm/third-web-1
check "wait for the state of a VM" exits 0 a wait vm/third-web-1 --for paused --timeout 10s
a resume -q vm/third-web-1
check "... and back" exits 0 a wait vm/third-web-1 --for running --timeout 10s
a stop -q svc/third
check "wait for a stopped service" exits 0 a wait svc/third --for stopped --timeout 15s
check "an apply of what is stopped does not hang" exits 0 a apply --wait --timeout 5s -f <(a get svc third -o yaml)
(exits 0 a wait svc/later --for running --timeout 30s; echo $? >"$dir/later") &
waiter=$!
until_ok 1 false # the wait looks while nothing is there
a apply -q -f <(write_service later) --detach
wait $waiter
check "what comes later is waited for" [ "$(cat "$dir/later")" == 0 ]

# ---- Ctrl-C while following ----
# interrupted COMMAND...: ends it by SIGINT as soon as it waits; its exit code is in $code, its texts in $out.
interrupted() {
  "$bin/arbiter" -H "ipc://$dir/api" --key "$dir/keys/root.key" --server-key "$dir/keys/arbiterd.pub" "$@" >"$dir/out" 2>&1 &
  local pid=$!
  # The signal waits on a descriptor once it follows: bit 2 of the blocked mask.
  until_ok 10 bash -c "(( 0x\$(awk '/^SigBlk/ { print \$2 }' /proc/$pid/status) & 2 ))"
  kill -INT $pid
  wait $pid
  code=$? out=$(cat "$dir/out")
}
interrupted wait svc/nothing --for running --timeout 60s
check "Ctrl-C is exit 130" [ $code == 130 ]
check "... and says how to go on" has "arbiter wait service/nothing --for running"
# An agent that stands still: what goes to its node does not come up, what is on it does not leave.
write_service stuck >"$dir/stuck.yaml"
a cordon -q n1
kill -STOP "${agents[n2]}"
interrupted apply --wait --timeout 60s -f "$dir/stuck.yaml"
check "Ctrl-C of an apply is exit 130" [ $code == 130 ]
check "... and says how to go on" has "arbiter wait svc/stuck --for running"
interrupted drain n2 --wait --timeout 60s
check "Ctrl-C of a drain is exit 130" [ $code == 130 ]
check "... and says how to go on" has "arbiter drain n2 --wait"
kill -CONT "${agents[n2]}"
a delete -q svc/stuck --yes
a uncordon -q n1
a uncordon -q n2
check "... the node comes back" exits 0 a wait node/n2 --for up --timeout 15s
interrupted events --follow
check "Ctrl-C of events is exit 130" [ $code == 130 ]
check "... and says the id" grep -qE "arbiter events --follow --after [0-9]+" <<<"$out"
interrupted get svc -w0.2
check "Ctrl-C of a watch is exit 130" [ $code == 130 ]

# ---- events: without gaps, over a restart of the orchestrator too ----
after=$(a events -o name | tail -1)
"$bin/arbiter" -H "ipc://$dir/api" --key "$dir/keys/root.key" --server-key "$dir/keys/arbiterd.pub" \
  events --follow --after "$after" -o json >"$dir/followed" 2>"$dir/followed.err" & # not "a": its id is needed
follower=$!
cluster_pids+=("$follower")
a set -q svc/other objective.weight=2
followed() { grep -q "\"id\":$1," "$dir/followed"; }
check "events are followed" until_ok 10 followed $((after + 1))
kill -9 "$arbiterd_pid"
wait "$arbiterd_pid" 2>/dev/null
check "an orchestrator that is away is said" until_ok 15 grep -q "trying again" "$dir/followed.err"
cluster_start mode=act control_period=1s lease=3s lease_margin=1s snapshot=1s
a set -q svc/other objective.weight=3
newest=$(a events -o name | tail -1)
check "... over a restart" until_ok 15 followed "$newest"
kill -INT $follower
wait $follower
check "... each exactly once, in order" python3 -c '
import json, sys
ids = [json.loads(line)["id"] for line in open(sys.argv[1])]
first = int(sys.argv[2]) + 1
assert ids == list(range(first, first + len(ids))), ids' "$dir/followed" "$after"
check "events of one kind" [ "$(a events --kind changed,mode -o csv --no-header | cut -d, -f3 | sort -u)" == changed ]
check "a kind that is none is exit 2" exits 2 a events --kind chnged
check "... with a suggestion" has 'did you mean "changed"'
check "events since a time" exits 0 a events --since 1h --service shop

# ---- completion ----
complete() { a __complete "$@" | sort | tr '\n' ' '; }
includes() { [[ " $(complete "${@:2}") " == *" $1 "* ]] || { echo "        $(complete "${@:2}")"; return 1; }; }
check "verbs" includes apply ap
check "types" includes service get ""
check "names of services" includes shop get svc ""
check "objects for show" includes svc/shop show ""
check "nodes" includes n2 cordon ""
check "VMs and nodes for move" includes n2 move vm/shop-web-1 ""
check "fields for set" includes objective.response_time.p95= set svc/shop objective.response_time.
check "... at the top" includes objective= set svc/shop ""
check "paths for explain" includes service.objective.weight explain service.objective.we
check "forms" includes json get svc -o ""
check "options before the verb count" [ -n "$("$bin/arbiter" __complete -H "ipc://$dir/api" --key "$dir/keys/root.key" --server-key "$dir/keys/arbiterd.pub" get svc "")" ]
bash_completes() {
  PATH=$bin:$PATH ARBITER_HOST=ipc://$dir/api ARBITER_KEY=$dir/keys/root.key ARBITER_SERVER_KEY=$dir/keys/arbiterd.pub bash --norc -c '
    source <(arbiter completion bash)
    COMP_WORDS=(arbiter drain n) COMP_CWORD=2
    _arbiter
    [[ " ${COMPREPLY[*]} " == *n1* && " ${COMPREPLY[*]} " != *svc* ]] || { echo "${COMPREPLY[*]}"; exit 1; }
    COMP_WORDS=(arbiter why sh) COMP_CWORD=2
    _arbiter
    [[ ${COMPREPLY[*]} == shop ]] || { echo "${COMPREPLY[*]}"; exit 1; }'
}
check "bash completes nodes and services" bash_completes
for shell in zsh fish; do
  "$bin/arbiter" completion $shell >"$dir/completion.$shell" || fail "completion $shell"
  ! command -v $shell >/dev/null || check "$shell reads its script" $shell -n "$dir/completion.$shell"
done

# ---- a terminal ----
terminal() { # COLUMNS COMMAND...: as on a terminal of that width
  local columns=$1 words
  shift
  printf -v words '%q ' "$bin/arbiter" -H "ipc://$dir/api" --key "$dir/keys/root.key" --server-key "$dir/keys/arbiterd.pub" "$@"
  TERM=xterm script -qec "stty cols $columns rows 24; $words" /dev/null </dev/null | tr -d '\r'
}
narrow() { # no line of a table is wider than the terminal
  local verb words
  for verb in "get svc" "get vm" "get node" "get decision" "get metric" "events" "status" "top -b -n 1"; do
    read -ra words <<<"$verb"
    terminal 80 "${words[@]}" | sed 's/\x1b\[[0-9]*m//g' >"$dir/narrow"
    [[ -s $dir/narrow && $(wc -L <"$dir/narrow") -le 80 ]] || { echo "$verb: $(wc -L <"$dir/narrow") columns"; return 1; }
  done
}
# A restarted orchestrator hears its nodes first, then what they measure.
measured() { a status | grep -q "mean level"; }
check "levels are measured again after a restart" until_ok 30 measured
check "tables fit 80 columns" narrow
check "... names are whole" grep -q "a-node-with-a-rather-long-name.example.org " <(terminal 60 get node)
colored() { terminal 80 status | grep -q $'\033\[3'; }
check "a terminal has colours" colored
uncolored() { ! NO_COLOR=1 terminal 80 status | grep -q $'\033'; }
check "... not with NO_COLOR" uncolored
check "... nor without a terminal" bash -c "! grep -q $'\033' <<<'$(a status)'"
check "... unless they are asked for" grep -q $'\033' <(a status --color always)
mkfifo "$dir/keyboard"
live() {
  local words
  printf -v words '%q ' "$bin/arbiter" -H "ipc://$dir/api" --key "$dir/keys/root.key" --server-key "$dir/keys/arbiterd.pub" top -w0.2
  TERM=xterm script -qefc "stty cols 80 rows 24; $words; echo top ended \$?" "$dir/screen" <"$dir/keyboard" >/dev/null &
  local pid=$!
  exec 5>"$dir/keyboard"
  until_ok 10 grep -q "sort (name)" "$dir/screen" || return 1
  printf s >&5
  until_ok 5 grep -q "level)" "$dir/screen" || return 1
  printf 'rpp<q' >&5
  wait $pid
  exec 5>&-
  grep -q "█" "$dir/screen" && grep -q "top ended 0" "$dir/screen"
}
check "top on a terminal: sort, pause, quit" live
check "delete without a terminal needs --yes: exit 2" exits 2 a delete svc/shop </dev/null
check "delete" exits 0 a delete svc/shop --yes
check "... until it is gone" exits 0 a wait svc/shop --for deleted --timeout 20s

# ---- failing ----
head -c 2000000 /dev/zero >"$dir/large"
check "what was tried and failed is exit 1" exits 1 keys list --keyring "$dir/large"
check "a provider may not change the mode: exit 4" exits 4 as alice mode hold
finish
