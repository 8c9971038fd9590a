#!/usr/bin/env bash
# The SURE benchmark: all rows of egs/recipes.csv whose corpus is available, each with every method and seed, then one table
# and picture of all results. Options that do not choose rows are passed to every recipe.
#
#   ./run.sh --suite sure --corpora corpora.yaml --nj 2
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"
. "$root/utils/suite.sh"

option petl "full bottleneck prefix lora conv_adapter" "methods to compare, names of files in sure/petl"
option seeds "1 2 3" "random seeds; each method is trained once for each seed"
parse_options "$@"
run_suite
