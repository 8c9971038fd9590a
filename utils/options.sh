# shellcheck shell=bash
# Options of a recipe: declared once, passed as `--name value` or `--name=value`, listed by --help.

declare -a option_names=() stages=(download prepare tokenize train decode score report pack)
declare -A option_default=() option_help=() option_given=()  # given: as the user wrote it

# option NAME DEFAULT HELP: declares --NAME and sets the variable NAME; a later declaration replaces default and help.
option() {
  [[ -v option_default[$1] ]] || option_names+=("$1")
  option_default[$1]=$2 option_help[$1]=$3
  printf -v "$1" %s "$2"
}

option stage ""                "first stage to run, by number or name; this and later stages run even when finished"
option stop_stage pack         "last stage to run, by number or name"
option force ""                "true: run finished stages again; false: skip them (default: true with --stage)"
option petl "linear_probe conv_adapter lora" "methods to compare, names of files in sure/petl; lora+prefix: both in one model"
option seeds "1"               "random seeds; each method is trained once for each seed"
option rates ""                "learning rates to compare on the dev set, e.g. \"3e-4 1e-3\"; each method is trained once for each rate"
option search grid             "choice among --rates on dev: grid: train all to the end; halving: drop two thirds after 1/3 of the epochs, then train the other seeds with the best alone"
option backbone moonshine      "family of the frozen backbone, the name of a file in sure/backbones"
option head ""                 "for asr: decoder: the recogniser's own decoder and tokens; ctc: a new head on its encoder (default: decoder for whisper, else ctc)"
option weights downloads/moonshine_tiny_en.safetensors "weights of the backbone: a file, a Hugging Face folder or a torchaudio bundle; random: untrained, as a control"
option corpus ""               "folder with your copy of the corpus, which is then not downloaded; later calls remember it, --corpus= forgets it"
option allow_commands false    "true: allow entries of wav.scp that are commands (\`... |\`); they run on this machine"
option on_bad_utterance stop   "stop: report unusable utterances and stop; skip: leave them out"
option max_bad_percent 50      "with --on_bad_utterance skip: more unusable utterances in a set, in percent, are an error"
option cache_gb ""             "disk for outputs of frozen layers, which trainings share, in GB (default: 20); 0: keep them in memory"
option decode greedy          "decoding of transcripts in stage 5: greedy, beam (beam search with an n-gram model, tuned on dev), or both"
option also ""                "for recognisers with a decoder: further languages whose test sets are decoded, e.g. \"en fr\": what adaptation to --lang has changed there"
option memory ""               "most memory of each training, e.g. 8gb: chooses recomputed layers, int8 or nf4 weights and smaller batches, and logs the choice"
option track ""                "wandb or mlflow: show scores and settings of each training there, next to tensorboard/"
option tag ""                  "suffix of the experiment folders' names, to keep variants apart"
option set ""                  "configuration overrides, e.g. \"train.epochs=3\"; petl.KEY applies to every method of --petl"
option dry_run false           "true: check the configuration, print all commands and run none"
option show ""                "corpus: print the folder of the corpus; experiments: print method, seed and folder of each; no stage runs"

usage_error() { printf 'error: %s\n' "$*" >&2; exit 2; }

# parse_options WORD...: sets the variables of the options that are passed.
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
      *) usage_error "unexpected word '$1'; options are written --name value; put a value with spaces in quotes" ;;
    esac
    check_option "$key"
    key=${key#--} key=${key//-/_}
    [[ ! -v option_given[$key] ]] || usage_error "--$key is given twice; put all words into one: --$key \"A B\""
    if [[ ${option_default[$key]} =~ ^(true|false)$ && ! $content =~ ^(true|false)$ ]]; then
      usage_error "--$key takes true or false, not '$content'"
    fi
    printf -v "$key" %s "$content"
    option_given[$key]=$content
  done
}

# nearest WORD KNOWN...: prints ` (did you mean KNOWN?)`, or nothing if no known word is similar.
nearest() {
  ask_python -c 'import sys; from sure.registry import nearest; print(nearest(*sys.argv[1:2], sys.argv[2:]).translate({39: None}))' \
    "$@" 2>/dev/null || true
}

# check_option --NAME: an error that lists the options, the nearest first, unless NAME is one of them.
check_option() {
  local key=${1#--} near; key=${key//-/_}
  if [[ $key =~ ^[a-z][a-z0-9_]*$ && -v option_default[$key] ]]; then return; fi
  near=$(nearest "$key" "${option_names[@]}")
  usage_error "unknown option $1${near/mean /mean --}; the options are:$(printf ' --%s' "${option_names[@]}"); see --help"
}

# one_of NAME WORD...: an error that lists the words unless the option NAME is one of them.
one_of() {
  local key=$1 word; shift
  for word; do [[ ${!key} != "$word" ]] || return 0; done
  usage_error "--$key: unknown value '${!key}'$(nearest "${!key}" "$@"); expected one of: $*"
}

# stage_number OPTION: sets `number` to the number of the stage in --OPTION.
stage_number() {
  local i
  for i in "${!stages[@]}"; do
    number=$((i + 1))
    if [[ ${!1} == "${stages[i]}" || ${!1} == "$number" ]]; then return; fi
  done
  usage_error "--$1: unknown stage '${!1}'$(nearest "${!1}" "${stages[@]}"); the stages are: $(list_stages)"
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
  printf '\nOptions (--name value or --name=value), with their defaults in brackets:\n'
  for key in "${option_names[@]}"; do
    printf '  --%-17s %s [%s]\n' "$key" "${option_help[$key]}" "${option_default[$key]}"
  done
  printf '\nStages: %s\n' "$(list_stages)"
}

# check_options: the options that the shell reads itself; make_plan checks the others.
check_options() {
  one_of on_bad_utterance stop skip
  if [[ -n $track ]]; then one_of track wandb mlflow; extras+=,track-$track; fi
  check_resources
  [[ -z $force || $force == true || $force == false ]] || usage_error "--force takes true or false, not '$force'"
}
