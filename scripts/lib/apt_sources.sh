# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# Reads apt's own source files, so that no script has to name a mirror. Sourced, never run.

# apt_has_suite SUITE [APT_DIR]: true if some enabled source of the machine offers SUITE.
apt_has_suite() { [ -n "$(apt_source_of "$1" "${2:-/etc/apt}")" ]; }

# apt_source_of SUITE [APT_DIR]: prints "URI<newline>Signed-By field" of the first enabled source of SUITE with the
# component main, from either file format. The field is empty when the source has none, and may span lines (a key).
apt_source_of() {
  local suite=$1 dir=${2:-/etc/apt} file found
  for file in "$dir"/sources.list.d/*.sources "$dir"/sources.list "$dir"/sources.list.d/*.list; do
    [ -r "$file" ] || continue
    case $file in
      *.sources) found=$(deb822_source "$suite" "$file") ;;
      *) found=$(one_line_source "$suite" "$file") ;;
    esac
    if [ -n "$found" ]; then printf '%s\n' "$found"; return; fi
  done
}

# A stanza is a paragraph; a field goes on in lines that begin with a blank; a comment may stand between them.
deb822_source() {
  grep -v '^#' "$2" | awk -v suite="$1" '
    function has(list, word,  n, parts, i) {
      n = split(list, parts, /[ \t\n]+/)
      for (i = 1; i <= n; i++) if (parts[i] == word) return 1
      return 0
    }
    function finish(  uris) {
      if (tolower(field["enabled"]) !~ /no|false/ && has(field["types"], "deb") && has(field["suites"], suite) &&
          has(field["components"], "main")) {
        split(field["uris"], uris, /[ \t\n]+/)
        print uris[1]
        print field["signed-by"]
        done = 1
        exit
      }
      split("", field)
    }
    /^[ \t]*$/ { finish(); next }
    /^[ \t]/ { field[name] = field[name] "\n" $0; next }
    { name = tolower(substr($0, 1, index($0, ":") - 1)); value = substr($0, index($0, ":") + 1)
      sub(/^[ \t]+/, "", value); field[name] = value }
    END { if (!done) finish() }'
}

one_line_source() {
  awk -v suite="$1" '
    $1 == "deb" {
      signed = ""
      line = $0
      if (match(line, /\[[^]]*\]/)) {
        options = substr(line, RSTART + 1, RLENGTH - 2)
        line = substr(line, 1, RSTART - 1) substr(line, RSTART + RLENGTH)
        n = split(options, option, /[ \t]+/)
        for (i = 1; i <= n; i++) if (option[i] ~ /^signed-by=/) signed = substr(option[i], 11)
      }
      n = split(line, word, /[ \t]+/)
      if (word[3] != suite) next
      for (i = 4; i <= n; i++) if (word[i] == "main") { print word[2]; print signed; exit }
    }' "$2"
}

# apt_backports_stanza CODENAME [APT_DIR]: the deb822 stanza of CODENAME-backports on the machine's own mirror.
apt_backports_stanza() {
  local source uri signed
  source=$(apt_source_of "$1" "${2:-/etc/apt}")
  [ -n "$source" ] || return 1
  uri=${source%%$'\n'*}
  signed=${source#"$uri"}
  signed=${signed#$'\n'}
  printf 'Types: deb\nURIs: %s\nSuites: %s-backports\nComponents: main\n' "$uri" "$1"
  if [ -n "$signed" ]; then printf 'Signed-By: %s\n' "$signed"; fi
}
