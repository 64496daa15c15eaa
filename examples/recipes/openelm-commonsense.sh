#!/usr/bin/env bash
# Trains LoRA and DoRA on CommonSense-170k with the OpenELM paper's numbers and evaluates the base and both on its tasks.
#
#     examples/recipes/openelm-commonsense.sh MODEL DATA OUTPUT [FLAG…]
#
# MODEL: a directory or a name of the hub, such as apple/OpenELM-270M (with --tokenizer FILE; its own is Llama 2's).
# DATA: train.jsonl and heldout.jsonl, rows of CommonSense-170k, and TASK.jsonl for each task, rows of its test.json.
# FLAGs go to compare in the recipe's place, and of them --tokenizer, --device and --dtype to eval, too.
# TASKS: which tasks, for fewer than the eight. LIMIT: the first questions of each only. PEFT4J: another launcher.
set -euo pipefail
[ $# -ge 3 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2; }
recipes=$(cd "$(dirname "$0")" && pwd)
peft4j=${PEFT4J:-$recipes/../../peft4j}
model=$1 data=$2 output=$3
shift 3
tasks=${TASKS:-boolq piqa social_i_qa hellaswag winogrande ARC-Easy ARC-Challenge openbookqa}

"$peft4j" compare @"$recipes/openelm-commonsense.args" --model "$model" --data "$data/train.jsonl" \
  --eval-data "$data/heldout.jsonl" --output "$output" "$@"

dtype=bfloat16 shared=(--model "$model")
given=("$@")
for ((i = 0; i + 1 < $#; i++)); do
  case ${given[i]} in
    --tokenizer | --device) shared+=("${given[i]}" "${given[i + 1]}") ;;
    --dtype) dtype=${given[i + 1]} ;;
  esac
done

# number FILE KEY: of the JSON that eval printed
number() { sed -n "s/^  \"$2\": \([0-9.eE-]*\),*$/\1/p" "$1"; }

mkdir -p "$output/accuracy"
printf '%-24s' task
for task in $tasks; do printf ' %13s' "$task"; done
printf ' %8s\n' mean
for adapter in "" "$output"/*/adapter_config.json; do
  name=base flags=()
  if [ -n "$adapter" ]; then
    folder=$(dirname "$adapter")
    name=$(basename "$folder") flags=(--adapter "$folder")
    name=${name/-token_embeddings+qkv_proj+out_proj+proj_1+proj_2/}
  fi
  printf '%-24s' "$name"
  sum=0 count=0
  for task in $tasks; do
    file=$output/accuracy/$name-$task.json
    "$peft4j" eval --task commonsense --data "$data/$task.jsonl" "${shared[@]}" --dtype "$dtype" \
      ${flags[@]+"${flags[@]}"} ${LIMIT:+--limit "$LIMIT"} --json >"$file"
    acc=$(number "$file" acc)
    printf ' %13.4f' "$acc"
    sum=$(awk "BEGIN { print $sum + $acc }") count=$((count + 1))
  done
  awk "BEGIN { printf \" %8.4f\\n\", $sum / $count }"
done
