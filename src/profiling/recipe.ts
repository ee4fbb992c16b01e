// What to run against an engine of one's own: a shell script around `vllm bench serve` whose results are enough for
// a profile. Three shapes that differ in both context and output/prompt ratio tell b, c and bp apart (two do not, and
// measured, 9 runs of three fit as well as 54); the fourth lets each be left out and predicted from three others.

export interface RecipeOptions {
  readonly model: string
  readonly gpu: string
  readonly tp: number
  /** Of the engine, such as http://localhost:8000. */
  readonly url: string
  readonly maxNumSeqs: number
}

interface RecipeShape {
  readonly promptTokens: number
  readonly outputTokens: number
  /** Requests, one after the other, that take about 20 s. */
  readonly alone: number
}

const shapes: readonly RecipeShape[] = [
  { promptTokens: 64, outputTokens: 256, alone: 10 },
  { promptTokens: 1024, outputTokens: 1024, alone: 3 },
  { promptTokens: 4096, outputTokens: 64, alone: 30 },
  { promptTokens: 256, outputTokens: 1024, alone: 3 },
]

/** A Bash script; needs vllm and python3 where it runs, which may be anywhere that reaches the engine. */
export function recipeScript({ model, gpu, tp, url, maxNumSeqs }: RecipeOptions): string {
  return `#!/usr/bin/env bash
# Measures one replica of ${comment(model)} on ${comment(gpu)} TP${tp} for a Mixscaler profile: about 20 minutes.
# The replica must serve nobody else meanwhile. Results go to ./results, one JSON file per run.
#
# Lengths vary by half either way: constant ones run in step with each other. Arrivals are Poisson, as traffic is.
# Every run has its own seed, so that the prefix cache holds nothing of it.
# The flags are those of vLLM 0.10 and later (vllm bench serve --help).
set -euo pipefail

URL=${quoted(url)}
MODEL=${quoted(model)}
OUT=results
mkdir -p "$OUT"

# bench NAME PROMPT_TOKENS OUTPUT_TOKENS REQUESTS FLAGS...
bench() {
  local name=$1 prompt=$2 output=$3 requests=$4
  shift 4
  vllm bench serve --backend vllm --base-url "$URL" --endpoint /v1/completions --model "$MODEL" \\
    --dataset-name random --random-input-len "$prompt" --random-output-len "$output" --random-range-ratio 0.5 \\
    --ignore-eos --num-prompts "$requests" --seed "$RANDOM" \\
    --percentile-metrics ttft,tpot,itl,e2el --save-result --result-dir "$OUT" --result-filename "$name.json" \\
    --metadata ${quoted(`gpu=${gpu}`)} tp=${tp} length_spread=0.5 max_num_seqs=${maxNumSeqs} "$@"
}

# at SHARE NAME: that share of the burst's rate, and the requests of a run long enough for the load to settle: an
# answer under load takes a third to a half of one in the burst, and the run lasts three of those.
at() {
  python3 - "$OUT/$2.json" "$1" <<'PYTHON'
import json, sys
burst = json.load(open(sys.argv[1]))
rate = float(sys.argv[2]) * burst["request_throughput"]
answer = burst["total_output_tokens"] / burst["completed"] * burst["mean_tpot_ms"] / 1000
print(f"{rate:.4f} {max(30, round(rate * max(60, 3 * answer)))}")
PYTHON
}

${shapes.map((shape) => shapeCommands(shape, maxNumSeqs)).join('\n\n')}

# Then:
#   mixscaler profile lint $OUT/*.json
#   mixscaler profile fit  $OUT/*.json --plot fit.svg
# The fit holds the bursts against its coefficients: the saturation rate must come out within 10 %.
`
}

/** Requests of a burst: enough rounds of all slots that filling and emptying them matter little. */
const burstRounds = 3

function shapeCommands({ promptTokens, outputTokens, alone }: RecipeShape, maxNumSeqs: number): string {
  const name = `${promptTokens}-${outputTokens}`
  const shape = `${promptTokens} ${outputTokens}`
  const load = (percent: number): string =>
    [
      `read -r rate requests < <(at 0.${percent} ${name}-burst)`,
      `bench ${name}-${percent} ${shape} "$requests" --request-rate "$rate" --burstiness 1`,
    ].join('\n')
  return [
    `# ${promptTokens} prompt tokens, ${outputTokens} output tokens`,
    `bench ${name}-burst ${shape} ${burstRounds * maxNumSeqs} --request-rate inf`,
    `bench ${name}-alone ${shape} ${alone} --request-rate inf --max-concurrency 1`,
    load(50),
    load(85),
  ].join('\n')
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** Of one line, whatever was typed. */
function comment(text: string): string {
  return text.replace(/[\r\n]+/g, ' ')
}
