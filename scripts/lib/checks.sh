# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# The counting frame of scripts/test.sh: runs named checks, keeps their logs, prints one closing line. Sourced.

passed=0
failed=0
skipped=0
failures=()
declare -A beside=()

# run_check NAME COMMAND...: one check; its output goes to $LOGS/NAME.log. If it fails, its lines of "FAIL" are shown,
# and the last ones.
run_check() {
  local name=$1 status=0 began=$SECONDS
  shift
  printf '%-28s ' "$name"
  "$@" >"$LOGS/$name.log" 2>&1 </dev/null || status=$?
  count_check "$name" $((SECONDS - began)) "$status"
}

# start_check NAME FUNCTION: one check at idle priority, beside those that follow; finish_check NAME waits for it. In a
# session of its own, because CPUs are shared out among sessions first (autogroups): what is idle within one still takes
# its share from the daemons of the tests, which have theirs. The function sees the functions and exported variables of
# this shell.
start_check() {
  setsid bash -c "$(declare -f)
    chrt --idle --pid 0 \$\$
    { echo 19 > /proc/self/autogroup; } 2>/dev/null
    $2" >"$LOGS/$1.log" 2>&1 </dev/null &
  beside[$1]=$!
}
finish_check() {
  local status=0 began=$SECONDS
  printf '%-28s ' "$1"
  wait "${beside[$1]}" || status=$?
  count_check "$1" $((SECONDS - began)) "$status"
}

# run_queue < lines of "NAME COMMAND...": as many at a time as there are CPUs. Prints "NAME SECONDS STATUS" of each when it
# ends, for count_queue, which may come much later: the queue itself may run beside other checks.
run_queue() {
  local -A names=() began=()
  local name command
  while read -r name command; do
    while [ ${#names[@]} -ge "$(nproc)" ]; do end_one; done
    # shellcheck disable=SC2086
    $command >"$LOGS/$name.log" 2>&1 </dev/null &
    names[$!]=$name
    began[$!]=$SECONDS
  done
  while [ ${#names[@]} -gt 0 ]; do end_one; done
}
# In run_queue, whose variables it uses.
end_one() {
  local pid status=0
  wait -n -p pid "${!names[@]}" || status=$?
  echo "${names[$pid]} $((SECONDS - began[$pid])) $status"
  unset "names[$pid]"
}
count_queue() {
  local name seconds status
  while read -r name seconds status; do
    printf '%-28s ' "$name"
    count_check "$name" "$seconds" "$status"
  done
}

count_check() {
  local name=$1 seconds=$2 status=$3
  if [ "$status" -eq 0 ]; then
    passed=$((passed + 1))
    printf 'ok      %4d s\n' "$seconds"
    return 0
  fi
  failed=$((failed + 1))
  failures+=("$name")
  printf 'FAILED  %4d s  %s\n' "$seconds" "$LOGS/$name.log"
  { grep -aE '^FAIL ' "$LOGS/$name.log"; tail -n 40 "$LOGS/$name.log"; } | sed 's/^/    | /'
  return 1
}

# run_ctest NAME BUILD_DIR ARGUMENT...: every test of the run counts by itself.
run_ctest() {
  local began=$SECONDS
  printf '%-28s ' "$1"
  log_ctest "$@"
  count_ctest "$1" "$2" $((SECONDS - began))
}

# The two halves of it: of one that was started beside others (start_check), only the counting is left.
log_ctest() {
  local log="$LOGS/$1.log" build=$2
  shift 2
  ctest --test-dir "$build" --output-on-failure --no-tests=error "$@" >"$log" 2>&1 </dev/null || true
}
count_ctest() {
  local name=$1 build=$2 seconds=$3 log="$LOGS/$1.log" bad skip total cases
  total=$(grep -cE '^ *[0-9]+/[0-9]+ Test +#' "$log" || true)
  skip=$(grep -cE 'Test +#.*\*\*\*(Skipped|Not Run \(Disabled\))' "$log" || true)
  bad=$(grep -cE 'Test +#.*(\*\*\*|Exception: )' "$log" || true)
  bad=$((bad - skip))
  if [ "$total" -eq 0 ]; then
    bad=1
    total=1
  fi
  cases=$(skipped_cases "$build")
  passed=$((passed + total - bad - skip))
  skipped=$((skipped + skip + cases))
  failed=$((failed + bad))
  if [ "$bad" -eq 0 ]; then
    printf 'ok      %4d s  %d tests, %d skipped, and %d cases of others\n' "$seconds" "$total" "$skip" "$cases"
    show_skips "$build"
    return 0
  fi
  failures+=("$name")
  printf 'FAILED  %4d s  %d of %d, %s\n' "$seconds" "$bad" "$total" "$log"
  failed_tests "$log" | sed 's/^/    | /'
  return 1
}

# failed_tests LOG: what each test that failed printed last.
failed_tests() {
  awk '/^ *[0-9]+\/[0-9]+ Test +#/ { show(); lines = 0; bad = /\*\*\*|Exception: / && !/\*\*\*(Skipped|Not Run)/ }
       /^ +Start +[0-9]+: |^[0-9]+% tests passed/ { show(); lines = 0; bad = 0 }
       { if (bad) line[lines++] = $0 }
       function show(  i) { for (i = lines > 60 ? lines - 60 : 0; i < lines; i++) print line[i] }
       END { show() }' "$1"
  grep -q 'tests passed' "$1" || tail -n 20 "$1"
}

# skipped_cases BUILD_DIR: how many cases skipped inside tests of the last run that ran others.
skipped_cases() {
  awk '/^Ran [0-9]+ test/ { ran = $2 } /^OK \(skipped=[0-9]+\)/ && ran > 0 { gsub(/[^0-9]/, ""); count += $0 }
       END { print count + 0 }' "$1/Testing/Temporary/LastTest.log" 2>/dev/null || echo 0
}

# show_skips BUILD_DIR: why tests of the last run skipped; they print "SKIPPED: reason".
show_skips() { grep -ahE '^SKIPPED: ' "$1/Testing/Temporary/LastTest.log" 2>/dev/null | sort -u | sed 's/^/    | /' || true; }

# skip_check NAME REASON: a check that cannot run here, said aloud.
skip_check() {
  skipped=$((skipped + 1))
  printf '%-28s skipped: %s\n' "$1" "$2"
}

# close_checks: names what failed, prints the closing line, returns 1 on any failure (or when nothing ran).
close_checks() {
  if [ ${#failures[@]} -gt 0 ]; then echo "failed: ${failures[*]}"; fi
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
