// What a model's name says about its size: parameters, active ones for a mixture of experts, and the precision of
// its weights. Names are those of model hubs, of the engines' `model_name` and of the profile library.

export type Precision = 'bf16' | 'fp8' | 'int4' | 'fp4'

export interface ModelName {
  /** Family and size, such as `llama-3.1-70b`. Releases of one architecture share it. */
  readonly base: string
  /** Absent where the name does not say. */
  readonly precision?: Precision
}

export interface ModelSize {
  /** 10^9 parameters, and those that one token uses. */
  readonly billions: number
  readonly activeBillions: number
  /** Share of the experts that one token uses; absent for a dense model. */
  readonly kappa?: number
  readonly layers: number
  /** Of all layers, keys and values in 16 bit. */
  readonly kvBytesPerToken: number
  /** The precision it is published in. */
  readonly native: Precision
}

export function parseModelName(name: string): ModelName {
  const last = name.split('/').at(-1) ?? name
  const plain = last
    .toLowerCase()
    .replace(/_/g, '-')
    .replace(/^meta-/, '')
    .replace(/^llama(?=\d)/, 'llama-')
  const precision = precisions.find(([pattern]) => pattern.test(plain))?.[1]
  const base = plain.replace(decoration, '')
  return {
    base: sameArchitecture[base] ?? base,
    ...(precision === undefined ? {} : { precision }),
  }
}

/** Undefined where the name holds no size. */
export function sizeOf({ base }: ModelName): ModelSize | undefined {
  return known[base] ?? sizeInName(base)
}

export function bytesPerWeight(precision: Precision): number {
  switch (precision) {
    case 'bf16':
      return 2
    case 'fp8':
      return 1
    // Four bits and the scales beside them.
    case 'int4':
    case 'fp4':
      return 0.55
  }
}

const precisions: readonly (readonly [pattern: RegExp, precision: Precision])[] = [
  [/(nv|mx)?fp4/, 'fp4'],
  [/awq|gptq|int4|w4a16|4bit|q4/, 'int4'],
  [/fp8|w8a8|int8|8bit/, 'fp8'],
  [/bf16|fp16/, 'bf16'],
]

/** What follows the size in a name: what it was trained for, when, and how it was quantised. */
const decoration =
  /-(instruct|chat|it|hf|base|thinking|preview|dynamic|quantized|tensorrt|gguf|bf16|fp16|(nv|mx)?fp[48]|awq|gptq|int[48]|w4a16|w8a8|[48]bit|q4|v\d+(\.\d+)*|\d{4})(?=-|$|\.)(\.w\d+a\d+)?/g

/** Later releases that changed the weights and not the engine's work. */
const sameArchitecture: Readonly<Record<string, string>> = {
  'llama-3-8b': 'llama-3.1-8b',
  'llama-3-70b': 'llama-3.1-70b',
  'llama-3.3-70b': 'llama-3.1-70b',
}

/** From the models' published configurations. */
const known: Readonly<Record<string, ModelSize>> = {
  'llama-3.2-1b': dense(1.24, 16, 32_768),
  'llama-3.2-3b': dense(3.21, 28, 114_688),
  'llama-3.1-8b': dense(8.03, 32, 131_072),
  'llama-3.1-70b': dense(70.6, 80, 327_680),
  'llama-3.1-405b': dense(406, 126, 516_096),
  'qwen3-8b': dense(8.2, 36, 147_456),
  'qwen3-14b': dense(14.8, 40, 163_840),
  'qwen3-32b': dense(32.8, 64, 262_144),
  'qwen3-30b-a3b': sparse(30.5, 3.3, 8 / 128, 48, 98_304, 'bf16'),
  'qwen3-235b-a22b': sparse(235, 22, 8 / 128, 94, 192_512, 'bf16'),
  'mixtral-8x7b': sparse(46.7, 12.9, 2 / 8, 32, 131_072, 'bf16'),
  'mixtral-8x22b': sparse(141, 39, 2 / 8, 56, 229_376, 'bf16'),
  'gpt-oss-20b': sparse(20.9, 3.6, 4 / 32, 24, 49_152, 'fp4'),
  'gpt-oss-120b': sparse(116.8, 5.1, 4 / 128, 36, 73_728, 'fp4'),
  'deepseek-v3': sparse(671, 37, 8 / 256, 61, 70_272, 'fp8'),
  'deepseek-r1': sparse(671, 37, 8 / 256, 61, 70_272, 'fp8'),
  'minimax-m2.5': sparse(230, 10, 8 / 256, 62, 253_952, 'fp8'),
  'kimi-k2.5': sparse(1000, 32, 8 / 384, 61, 70_272, 'int4'),
}

function dense(billions: number, layers: number, kvBytesPerToken: number): ModelSize {
  return { billions, activeBillions: billions, layers, kvBytesPerToken, native: 'bf16' }
}

function sparse(
  billions: number,
  activeBillions: number,
  kappa: number,
  layers: number,
  kvBytesPerToken: number,
  native: Precision,
): ModelSize {
  return { billions, activeBillions, kappa, layers, kvBytesPerToken, native }
}

/** `30b-a3b`, `8x7b` or `70b`; depth and cache by what grouped-query models of 1 to 405 billion have in common. */
function sizeInName(base: string): ModelSize | undefined {
  const experts = /(?:^|-)(\d+)x(\d+(?:\.\d+)?)b(?:-|$)/.exec(base)
  if (experts !== null) {
    // Attention is shared: eight experts of 7 billion are 47 in all, and two of them with it 13.
    const all = Number(experts[1]) * Number(experts[2])
    return sized(0.83 * all, (0.46 * all) / (Number(experts[1]) / 4), 2 / Number(experts[1]))
  }
  const total = /(?:^|-)(\d+(?:\.\d+)?)b(?:-|$)/.exec(base)
  if (total === null) return undefined
  const billions = Number(total[1])
  const active = /-a(\d+(?:\.\d+)?)b(?:-|$)/.exec(base)
  if (active === null) return sized(billions, billions)
  // Some of the active parameters are attention, the same for every token: the rest are experts.
  return sized(billions, Number(active[1]), (0.6 * Number(active[1])) / billions)
}

function sized(billions: number, activeBillions: number, kappa?: number): ModelSize | undefined {
  if (!(billions > 0 && activeBillions > 0 && activeBillions <= billions)) return undefined
  return {
    billions,
    activeBillions,
    ...(kappa === undefined ? {} : { kappa }),
    layers: 32 * (billions / 8) ** 0.42,
    kvBytesPerToken: 140_000 * (billions / 8) ** 0.43,
    native: 'bf16',
  }
}
