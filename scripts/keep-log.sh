#!/bin/sh
# Runs a compiler and keeps what it says beside the object: OBJECT.log. It is shown where the compiler fails; where
# it does not, it is what scripts/check-kernels.js reads.
object= previous=
for word; do
  [ "$previous" = -o ] && object=$word
  previous=$word
done
"$@" >"$object.log" 2>&1 || {
  status=$?
  grep -v 'ptxas info\|bytes stack frame' "$object.log" >&2
  exit $status
}
