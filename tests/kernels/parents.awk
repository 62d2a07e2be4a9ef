# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# Spans of a proxy on PORT and of what is behind it, as the file sink writes them: how many there are of paths PREFIX<number>,
# and whether each hangs below the one of the same request. Prints "spans paths repeated wrong without".
#   awk -v prefix=/keep/ -v port=8081 -f parents.awk spans.json
# A record is what follows `{"traceId":"`; between quotes are trace id, ..., span id (5th), ..., parent (9th) if it has one.
BEGIN { RS = "[{]\"traceId\":\""; FS = "\"" }
{
  at = index($0, prefix)
  if (at == 0) next
  path = substr($0, at + length(prefix), 12) + 0
  ++spans
  id = $1 " " $5
  if (id in seen) ++repeated
  seen[id] = 1
  parent = $7 == "parentSpanId" ? $1 " " $9 : ""
  if (index($0, "\"kind\":3,")) place = "between"
  else place = index($0, "\"server.port\",\"value\":{\"intValue\":\"" port "\"") ? "front" : "behind"
  if ((place, path) in ids) ++repeated
  ids[place, path] = id
  parents[place, path] = parent
  paths[path] = 1
}
function judge(child, parent, path) {
  if (!((child, path) in ids)) return
  if (parents[child, path] == "") ++without
  else if (parents[child, path] != ids[parent, path]) ++wrong
}
END {
  for (path in paths) {
    ++different
    judge("between", "front", path)
    judge("behind", "between", path)
    if (parents["front", path] != "") ++wrong
  }
  print spans + 0, different + 0, repeated + 0, wrong + 0, without + 0
}
