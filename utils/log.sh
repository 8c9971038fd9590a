# shellcheck shell=bash
# Commands and logs in readable form.

# quoted WORD...: prints the words for pasting into a shell, with quotes only where needed.
quoted() {
  local word text=""
  for word; do
    if [[ $word =~ ^[A-Za-z0-9_./=:,@%+-]+$ ]]; then text+=" $word"; else text+=" ${word@Q}"; fi
  done
  printf '%s\n' "${text:1}"
}

# show_end LOG: prints the last lines of the last command in it, indented; each state of a progress bar is a line.
show_end() {
  tail -c 20000 "$1" | tr '\r' '\n' | sed '/^[[:space:]]*$/d' |
    awk '/^# on [^ ]+, / { count = 0 } { line[count++] = $0 } END { for (i = 0; i < count; i++) print "  | " line[i] }' |
    tail -n 20
}
