#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A profile on the way of its user, with real programs: a provider applies it with the service that names it, the
# first decision is foreseen by it, an application that takes more CPU than it says is told once, and what was
# measured meanwhile comes back as a profile that can be applied.
cd "$(dirname "$0")/../.."
. tests/integration/cluster.sh
[ -x "$bin/arbiterd" ] || { echo "$bin/arbiterd is not built"; exit 77; }
has() { [[ $out == *"$1"* ]]; }

cluster_make
cluster_key alice provider
cluster_key bob provider
cluster_start mode=act control_period=500ms lease=3s lease_margin=1s snapshot=1s
printf 'shop 60\n' >"$dir/load"
cluster_agent n1 "model:cpus=4,memory=4GiB,boot=200ms,request_cpu=10ms,load=$dir/load"
check "the node is up" exits 0 a wait node/n1 --for up --timeout 20s
a apply -q -f <(printf 'version: 1\nimage: guest\nformat: model\n') || fail "the image"

# x of a queue of one server whose requests take 10 ms: p95 is 3 times the mean, the target 150 ms.
profile() { # CPU of a request in parts of 10 ms
  printf 'version: 1\nprofile: app\nresponse_time: {p95: 150ms}\non_node: n9\ngovernor: performance\n'
  printf 'tool: httperf\nmeasured: 2026-11-20T10:00:00Z\nsamples: 3\npoints:\n'
  awk -v part="$1" 'BEGIN {
    for (load = 30; load <= 120; load += 30)
      for (cap = 0.2; cap < 2.1; cap += cap < 1.2 ? 0.1 : 0.4) {
        free = cap - load * 0.01 * part
        x = free > 0.005 ? 0.2 * part / free : 1000
        printf "  - {load: %d, cap: %.2f, x: %.4f}\n", load, cap, x < 0.2 * part ? 0.2 * part : x
      }
  }'
}
shop() {
  printf 'version: 1\nservice: shop\nkind: web\nobjective: {response_time: {p95: 150ms, window: 1s}}\nprofile: app\n'
  printf 'vms:\n  - {name: web, image: guest, vcpus: 2, cpu: {min: 0.2, max: 2.0}, memory: 128MiB}\n'
}
profile 1 >"$dir/app.yaml"
shop >"$dir/shop.yaml"

check "a service that names none that is there is refused" exits 7 as alice apply --detach -f "$dir/shop.yaml"
check "... with its name" has "profile app does not exist"
mkdir "$dir/site"
cp "$dir/shop.yaml" "$dir/site/1.yaml"
cp "$dir/app.yaml" "$dir/site/2.yaml"
check "a provider applies both, the profile first" exits 0 as alice apply --wait --timeout 20s -f "$dir/site"
check "it is listed with its points" exits 0 as alice get profile -o csv
check "... by name" has "app,"
check "another provider sees none" exits 0 as bob get profile -o json
check "... of it" has "[]"
check "... and cannot write it" exits 4 as bob apply -f "$dir/app.yaml"
check "a round trip is unchanged" exits 0 as alice apply -f <(as alice get profile app -o yaml)
check "... as it says" has "unchanged"
check "what a service uses is not deleted" exits 8 as alice delete profile/app --yes
check "completion knows the type" exits 0 a __complete get ""
check "... profile" has "profile"
check "explain knows its fields" exits 0 a explain profile.points.x

foreseen() { as alice why shop 2>/dev/null | grep -q "foreseen  shop: by its profile"; }
check "the decision says that its profile foresaw it" until_ok 20 foreseen
check "the service is on target" exits 0 as alice wait svc/shop --for met --timeout 30s
learnt() { [[ $(as alice get profile --service shop -o json 2>/dev/null) == *'"points"'* ]]; }
check "what was measured comes back" until_ok 30 learnt
as alice get profile --service shop -o yaml | sed 's/^profile: shop/profile: measured/' >"$dir/measured.yaml"
check "... and can be applied" exits 0 as alice apply -f "$dir/measured.yaml"

# A third of what the application really takes: the same as if it had become dearer.
profile 0.33 >"$dir/app.yaml"
check "another profile is taken up" exits 0 as alice apply -f "$dir/app.yaml"
told() { [[ $(as alice events --kind profile-outdated -o json --since 1h 2>/dev/null | grep -c "profile app is out of date") -ge 1 ]]; }
check "it is found out of date" until_ok 60 told
check "... and why shows it" exits 0 as alice why shop
check "... with the command's reason" has "profile-outdated"
profile 1 >"$dir/app.yaml"
check "measured again" exits 0 as alice apply -f "$dir/app.yaml"
calm() { ! as alice why shop | grep -q "profile-outdated"; }
check "... it is right again" until_ok 10 calm
check "it was told once" [ "$(as alice events --kind profile-outdated -o json --since 1h | grep -c 'profile app is out of date')" = 1 ]

echo "$checks checks, $failures failed"
[ "$failures" = 0 ]
