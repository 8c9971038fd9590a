# shellcheck shell=bash
# Transcription by CTC: `text` is spelled in the tokens that stage 3 learns from the training set.
# The recipe sets what common.sh asks for, and
#   lang              the language whose rules normalise the text
#   lexicon           task phoneme: the file that turns words into phones (default: none, `text` is phones)
target=text
overrides=(text.language="$lang") decode_methods=(greedy beam)
if [[ -n ${lexicon:-} ]]; then
  lexicon=$(from_caller "$lexicon")
  overrides+=(tokenizer.lexicon="$lexicon") token_inputs=("$lexicon")
fi
. "$root/utils/pipelines/common.sh"
