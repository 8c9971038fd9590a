# shellcheck shell=bash
# Classification of utterances: stage 3 lists the labels in `utt2label` of the training set.
# The recipe sets the variables of common.sh.
target=utt2label
overrides=()
. "$root/utils/pipelines/common.sh"
