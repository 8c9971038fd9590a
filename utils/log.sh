# shellcheck shell=bash
# Words and logs for people to read.

# quoted WORD...: prints them as they can be pasted into a shell, quoted only where they need it.
quoted() {
  local word text=""
  for word; do
    if [[ $word =~ ^[A-Za-z0-9_./=:,@%+-]+$ ]]; then text+=" $word"; else text+=" ${word@Q}"; fi
  done
  printf '%s\n' "${text:1}"
}

# show_end LOG: the last lines of the last command in it, indented; what a progress bar overwrote counts as lines.
show_end() {
  tail -c 20000 "$1" | tr '\r' '\n' | sed '/^[[:space:]]*$/d' |
    awk '/^# on [^ ]+, / { count = 0 } { line[count++] = $0 } END { for (i = 0; i < count; i++) print "  | " line[i] }' |
    tail -n 20
}
