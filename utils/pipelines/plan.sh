# shellcheck shell=bash
# The plan of a call: Python reads the options and returns the experiments, folders and settings of each stage.

# make_plan: sets the variables of sure/recipe/plan.py's Plan, or ends with its error.
make_plan() {
  local name plan
  local -a words=()
  for name in task dataset backbone weights petl seeds rates search memory track tag set decode on_bad_utterance cache_gb caller \
    also lang dry_run pipeline shape pretrained pretrained_in; do
    if [[ -v $name ]]; then words+=("$name=${!name}"); fi
  done
  for name in "${!option_given[@]}"; do words+=("given=$name"); done
  words+=("${overrides[@]/#/overrides=}" "${decode_methods[@]/#/decode_methods=}")
  words+=("${prepare_options[@]/#/prepare_options=}" "${source_options[@]/#/source_options=}")
  plan_words=("${words[@]}")
  plan=$(ask_python -m sure.bin.plan "${words[@]}") || exit
  eval "$plan"
  plan_text=$plan
}

# check_config: checks the whole configuration of every experiment before the first stage, unless its mark has the same
# plan and the same files of conf/. A dry run reads models of the Hugging Face Hub from its cache alone.
check_config() {
  local mark=exp/.marks/$dataset.config now
  inputs=("${config_files[@]}") step_command=$plan_text
  now=$(describe_step)
  if [[ $dry_run == true ]]; then export HF_HUB_OFFLINE=1; fi
  if ! holds "$mark" "$now"; then
    python -m sure.bin.check_config "${plan_words[@]}" || exit
    if [[ $dry_run == false ]]; then
      mkdir -p exp/.marks
      printf '%s\n' "$now" >"$mark"
    fi
  fi
  clear_step
}
