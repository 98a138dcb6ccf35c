#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the manual pages: build-pages.sh PROGRAMS OUTPUT
# PROGRAMS is the folder with arbiter, arbiterd and arbiter-agent. What the programs know about themselves
# (verbs, fields of files, settings) is asked of them, so that a page cannot fall behind: a line "@verbs",
# "@fields KIND...", "@settings PROGRAM" or "@example KIND" of a source is replaced by it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
programs=$(realpath "${1:?usage: build-pages.sh PROGRAMS OUTPUT}")
output=${2:?usage: build-pages.sh PROGRAMS OUTPUT}
arbiter=$programs/arbiter

# page SCRIPT: awk with the functions that write mdoc.
page() {
  awk '
    # A backslash, a dash that may be copied, a dot or quote that begins a line.
    function literal(text) {
      gsub(/\\/, "\\e", text)
      gsub(/-/, "\\-", text)
      return text ~ /^[.\x27]/ ? "\\&" text : text
    }
    # "run: what it means" is about a word: that stays as it is written.
    function sentence(text) {
      return literal(text ~ /^[a-z]+: / ? text : toupper(substr(text, 1, 1)) substr(text, 2)) "."
    }
    function display(text) { print ".Bd -literal -offset indent\n" text ".Ed" }
    function item(name) { print ".It Ic " literal(name) }
    '"$1"
}

# Each verb is asked for its own help, in the order and groups of the whole help.
verbs() {
  local line
  "$arbiter" help | while IFS= read -r line; do
    [[ $line != Common* ]] || break
    case $line in
      '' | arbiter:* | '  arbiter '*) ;;
      '  '*) read -r line _ <<<"$line"; printf 'verb %s\n%s\n' "$line" "$("$arbiter" help "$line")" ;;
      *) printf 'group %s\n' "$line" ;;
    esac
  done | page '
    function finish() { if (details != "") display(details); details = "" }
    /^group / { finish(); if (groups++) print ".El"; print ".Ss " substr($0, 7) "\n.Bl -tag -width Ds"; next }
    /^verb /  { finish(); row = 0; next }
    ++row == 1 { sub("^arbiter ", ""); sub(" *$", ""); item($0); next }
    row == 2  { sub("^ *", ""); print sentence($0); next }
    row > 3   { details = details literal($0) "\n" }
    END       { finish(); print ".El" }'
}

# fields KIND...: every field of these kinds, what is inside one directly behind it.
fields() {
  local waiting=("$@") path line inside names
  while [[ ${#waiting[@]} -gt 0 ]]; do
    path=${waiting[0]} inside=0 names=()
    printf 'path %s\n' "$path"
    while IFS= read -r line; do
      printf '%s\n' "$line"
      [[ $inside == 0 || ! $line =~ ^\ \ ([a-z0-9_]+)\  ]] || names+=("$path.${BASH_REMATCH[1]}")
      [[ $line != fields: ]] || inside=1
    done < <("$arbiter" explain "$path")
    waiting=("${names[@]}" "${waiting[@]:1}")
  done | page '
    function finish() { if (values != "") print ".br\n" literal(values) "."; values = "" }
    /^path /    { finish(); path = $2; row = 0; skip = 0; next }
    ++row == 1 && path !~ /\./ { if (kinds++) print ".El"; print ".Ss " path; sub("^[^:]*: ", ""); print sentence($0)
                                 print ".Bl -tag -width Ds"; skip = 1; next }
    row == 1    { name = path; sub("^[^.]*[.]", "", name); item(name); sub("^[^:]*: ", ""); print sentence($0); next }
    /^fields:/  { skip = 1 }
    !skip       { sub("^ *", ""); sub(": +", ": "); sub("^value: ", ""); values = values (values == "" ? "" : "; ") $0 }
    END         { finish(); print ".El" }'
}

settings() {
  local nothing
  nothing=$(mktemp)
  "$programs/$1" --config "$nothing" --print-config | page '
    BEGIN { print ".Bl -tag -width Ds" }
    /^[a-z_]+:$/ { outer = $0; sub(":", ".", outer); next }
    { name = $1; sub(":", "", name); item((/^  / ? outer : "") name)
      value = $0; sub("^ *[a-z_]+: ", "", value); meaning = value
      sub("  # .*", "", value); sub(".*  # ", "", meaning); gsub("\"", "", value)
      print sentence(meaning) "\n.br\n" literal("default: " (value == "" ? "none" : value)) }
    END { print ".El" }'
  rm -f "$nothing"
}

mkdir -p "$output"
for source in "$here"/*.[158]; do
  while IFS= read -r line; do
    read -ra words <<<"$line"
    case ${words[0]:-} in
      @verbs) verbs ;;
      @fields) fields "${words[@]:1}" ;;
      @settings) settings "${words[1]}" ;;
      @example) "$arbiter" init "${words[1]}" | page '{ text = text literal($0) "\n" } END { display(text) }' ;;
      *) printf '%s\n' "$line" ;;
    esac
  done <"$source" >"$output/${source##*/}"
done
