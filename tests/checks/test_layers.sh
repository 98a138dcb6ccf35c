#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Who may include whom: every #include "folder/..." of the tree against the table of ARCHITECTURE.md,
# and libraries of other projects only in the folders that may see them.
set -u
cd "$(dirname "$0")/../.." || exit 1

# folder -> folders it may include (itself always)
declare -A allowed=(
  [common]=""
  [common/io]="common"
  [proto]="common"
  [schedulers]="common"
  [orchestrator/core]="schedulers common"
  [orchestrator/io]="orchestrator/core schedulers common common/io proto"
  [orchestrator/client]="common common/io proto schedulers"
  [node-agent/core]="common"
  [node-agent/io]="node-agent/core common common/io proto"
)
# header of another project -> folders that may include it
declare -A foreign=(
  [czmq.h]="common/io" [zmq.h]="common/io"
  [systemd/]="common/io orchestrator/io node-agent/io"
  [protobuf-c/]="proto" [yaml.h]="proto" [jansson.h]="proto orchestrator/client"
  [sqlite3.h]="orchestrator/io" [curl/]="orchestrator/io node-agent/io"
  [microhttpd.h]="orchestrator/io" [ncurses.h]="orchestrator/client"
  [libvirt/]="node-agent/io/libvirt" [libxl]="node-agent/io/xen"
  [openssl/]="node-agent/io orchestrator/client"
)
# The folder of the table that a path belongs to: the longest that matches.
folder_of() {
  local best="" f
  for f in "${!allowed[@]}"; do
    if [[ $1 == "$f"/* && ${#f} -gt ${#best} ]]; then best=$f; fi
  done
  echo "$best"
}
bad=0 seen=0
while IFS= read -r file; do
  own=$(folder_of "$file")
  [[ -n $own ]] || continue
  seen=$((seen + 1))
  while IFS= read -r include; do
    target=$(folder_of "$include")
    if [[ $include == *.pb-c.h ]]; then
      [[ $own == proto ]] || { echo "$file: generated types outside proto/: $include"; bad=1; }
      continue
    fi
    if [[ -z $target ]]; then echo "$file: includes \"$include\", which no row allows"; bad=1; continue; fi
    [[ $target == "$own" || " ${allowed[$own]} " == *" $target "* ]] && continue
    echo "$file: $own may not include $target (\"$include\")"; bad=1
  done < <(sed -n 's/^ *# *include *"\([^"]*\)".*/\1/p' "$file")
  while IFS= read -r header; do
    for prefix in "${!foreign[@]}"; do
      [[ $header == "$prefix"* ]] || continue
      ok=0
      for f in ${foreign[$prefix]}; do [[ $file == "$f"/* ]] && ok=1; done
      [[ $ok == 1 ]] || { echo "$file: <$header> may be seen only in: ${foreign[$prefix]}"; bad=1; }
    done
  done < <(sed -n 's/^ *# *include *<\([^>]*\)>.*/\1/p' "$file")
done < <(git ls-files '*.c' '*.h' | grep -v '^tests/')
[[ $seen -gt 20 ]] || { echo "only $seen files seen: the check is broken"; exit 1; }
# The check itself must catch a wrong include.
[[ $(folder_of node-agent/io/libvirt/x.c) == node-agent/io && $(folder_of common/io/bus.h) == common/io ]] ||
  { echo "folder_of is broken"; exit 1; }
echo "$seen files checked"
exit $bad
