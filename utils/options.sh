# shellcheck shell=bash
# Options of a recipe: declared once, given as `--name value` or `--name=value`, shown by --help.

declare -a option_names=() stages=(download prepare tokenize train decode score report pack)
declare -A option_default=() option_help=() option_given=()  # given: as the user wrote them

# option NAME DEFAULT WORDS: declares --NAME and sets the variable NAME; a later declaration replaces the default.
option() {
  [[ -v option_default[$1] ]] || option_names+=("$1")
  option_default[$1]=$2 option_help[$1]=$3
  printf -v "$1" %s "$2"
}

option stage ""                "first stage, by number or name; it and those after it run even when finished"
option stop_stage pack         "last stage, by number or name"
option force ""                "true: run finished stages again, false: skip them (default: true after --stage)"
option petl "linear_probe conv_adapter lora" "methods to compare: files of sure/petl; lora+prefix: both at once"
option seeds "1"               "seeds; every method is trained with each"
option rates ""                "rates to compare on dev, e.g. \"3e-4 1e-3\": every method is trained with each as rate of its adapter"
option backbone moonshine      "family of the frozen encoder: a file of sure/backbones"
option weights downloads/moonshine_tiny_en.safetensors "its weights: a file, a Hugging Face folder or a bundle of torchaudio; random: the same network untrained, as a control"
option corpus ""               "folder of a copy of the corpus that you have; nothing is downloaded then. It is remembered; --corpus= forgets it"
option allow_commands false    "true: entries of wav.scp may be commands (\`... |\`), which run on this machine"
option on_bad_utterance stop   "skip: leave utterances out that cannot be used; stop: name them, and stop"
option max_bad_percent 50      "with more of a set than this unusable, skip stops, too"
option decode greedy          "how stage 5 decodes transcriptions: greedy, beam (search with an n-gram model, weights tuned on dev), or both"
option tag ""                  "ending for the experiment folders, to keep variants apart"
option set ""                  "config overrides, e.g. \"train.epochs=3\"; petl.rank=4 only where every method of --petl has a rank"
option dry_run false           "true: print every command and run none"
option show ""                "corpus: print where it is, if it is there; experiments: method, seed, folder of each; run nothing"

usage_error() {
  printf 'error: %s\n' "$*" >&2
  exit 2
}

# parse_options WORD...: sets the variables of the options given.
parse_options() {
  local key content
  while (($#)); do
    case $1 in
      --help | -h) show_help; exit 0 ;;
      --*=*) key=${1%%=*} content=${1#*=}; shift ;;
      --*)
        key=$1
        check_option "$key"
        [[ $# -gt 1 && $2 != --* ]] || usage_error "$key needs a value: $key VALUE or $key=VALUE"
        content=$2; shift 2 ;;
      *) usage_error "unexpected word '$1'; options are written --name value, and a value with spaces in quotes" ;;
    esac
    check_option "$key"
    key=${key#--} key=${key//-/_}
    if [[ ${option_default[$key]} =~ ^(true|false)$ && ! $content =~ ^(true|false)$ ]]; then
      usage_error "--$key takes true or false, not '$content'"
    fi
    printf -v "$key" %s "$content"
    option_given[$key]=$content
  done
}

# check_option --NAME: an error that lists the options unless NAME is one.
check_option() {
  local key=${1#--}; key=${key//-/_}
  if [[ ! $key =~ ^[a-z][a-z0-9_]*$ || ! -v option_default[$key] ]]; then
    usage_error "unknown option $1; the options are:$(printf ' --%s' "${option_names[@]}"), and --help explains them"
  fi
}

# one_of NAME WORD...: an error that lists the words unless the option NAME is one of them.
one_of() {
  local key=$1 word; shift
  for word; do
    if [[ ${!key} == "$word" ]]; then return; fi
  done
  usage_error "--$key '${!key}' is not known; there are: $*"
}

# stage_number OPTION: sets `number` to that of the stage that --OPTION names.
stage_number() {
  local i
  for i in "${!stages[@]}"; do
    number=$((i + 1))
    if [[ ${!1} == "${stages[i]}" || ${!1} == "$number" ]]; then return; fi
  done
  usage_error "--$1 '${!1}' is no stage; the stages are: $(list_stages)"
}

list_stages() {
  local i text=""
  for i in "${!stages[@]}"; do text+=", $((i + 1)) ${stages[i]}"; done
  printf '%s' "${text:2}"
}

# The opening comment of run.sh, then options with defaults, then stages.
show_help() {
  local key
  sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$recipe/run.sh"
  printf '\nOptions (--name value or --name=value):\n'
  for key in "${option_names[@]}"; do
    printf '  --%-17s %s [%s]\n' "$key" "${option_help[$key]}" "${option_default[$key]}"
  done
  printf '\nStages: %s\n' "$(list_stages)"
}

# check_options: the options that every recipe has.
check_options() {
  one_of on_bad_utterance stop skip
  check_resources
  [[ $seeds =~ ^[0-9]+([[:space:]]+[0-9]+)*$ ]] || usage_error "--seeds takes numbers such as \"1 2 3\", not '$seeds'"
  [[ $rates =~ ^([0-9.]+(e[-+]?[0-9]+)?([[:space:]]+|$))*$ ]] || usage_error "--rates takes numbers such as \"3e-4 1e-3\", not '$rates'"
  [[ $tag =~ ^[A-Za-z0-9._-]*$ ]] || usage_error "--tag takes letters, digits and . _ -, not '$tag'"
  [[ -z $force || $force == true || $force == false ]] || usage_error "--force takes true or false, not '$force'"
}
