// `mixscaler profile show`: the profile library, and what one of its entries means for requests of a usual shape.
import { capacityOf } from '../core/capacity/capacity.ts'
import { idleLatency } from '../core/capacity/idle.ts'
import type { Capacity, CapacityQuestion } from '../core/capacity/question.ts'
import { assumedLengths } from '../core/capacity/shape.ts'
import type { FoundProfile, Profile, ProfileQuality } from '../core/profile.ts'
import { resolveFrom } from '../core/profiles/library.ts'
import { type MeasuredProfile, measuredProfiles } from '../core/profiles/measured.ts'
import { limitName } from '../core/sentence.ts'
import { table } from '../report/table.ts'
import { defineCommand, type Terminal } from './command.ts'
import { CommandError, type ExitCode, exitCodes, usageError } from './exit.ts'
import { countFlag } from './measurementFiles.ts'
import { choiceFlag, durationFlag } from './values.ts'

const plainColumns = 120
/** vLLM's defaults, as the plan assumes them where nobody says otherwise. */
const engineLimits = { maxNumSeqs: 256, maxNumBatchedTokens: 8192 }
/** Where neither profile nor flag states a cache, as in the plan. */
const assumedKvTokens = 100_000

const qualities: Readonly<Record<ProfileQuality, string>> = {
  good: 'measured; unseen runs are predicted within 5 % (median), nine of ten within 15 %',
  fair: 'measured; unseen runs are predicted within 10 % (median), nine of ten within 30 %',
  stated: 'stated in the policy: nothing is known of its error',
  guess:
    'estimated from model size and GPU: within a factor of two; measure before you rely on it (profile recipe)',
}

export const profileShow = defineCommand({
  name: 'profile show',
  summary: 'list the profile library, or show what one profile means',
  usage: '[NAME | --model NAME --gpu NAME --tp N] [--output table|json]',
  description:
    'Without a name it lists the library; --model, --gpu or --tp narrow the list. With a name, or with all three, it shows\n' +
    'what the plan would use: the measured profile, or an estimate where nobody has measured that set-up, with source and\n' +
    'error, and what one replica carries within an SLO. Exit code 1: there is no such profile.',
  flags: {
    model: { type: 'string', placeholder: 'NAME', text: 'the model, by any name of a hub' },
    gpu: { type: 'string', placeholder: 'NAME', text: 'the GPU: h100, NVIDIA-L40S, mi300x' },
    tp: { type: 'string', placeholder: 'N', text: 'GPUs per replica' },
    'prompt-tokens': { type: 'string', placeholder: 'N', default: '1000', text: 'mean prompt' },
    'output-tokens': { type: 'string', placeholder: 'N', default: '200', text: 'mean output' },
    ttft: { type: 'string', placeholder: 'TIME', default: '1s', text: 'p95 of the time to the first token' },
    itl: { type: 'string', placeholder: 'TIME', default: '50ms', text: 'p95 of the time between tokens' },
    output: { type: 'string', short: 'o', default: 'table', placeholder: 'table|json', text: 'how to print' },
  },
  operands: 'allowed',
  examples: [
    { text: 'All of them', command: 'mixscaler profile show' },
    { text: 'What is known of H200', command: 'mixscaler profile show --gpu h200' },
    {
      text: 'One, for long prompts',
      command: 'mixscaler profile show llama-3.1-70b-fp8/h100-tp4 --prompt-tokens 4000 --ttft 2s',
    },
    { text: 'By what runs', command: 'mixscaler profile show --model Qwen/Qwen3-32B --gpu h100 --tp 2' },
  ],
  run: async (values, terminal, [name, ...more]) => {
    if (more.length > 0) throw usageError(`profile show takes one name: got ${more.length + 1}`)
    const output = choiceFlag('output', values.output, ['table', 'json'])
    const { model, gpu } = values
    const tp = values.tp === undefined ? undefined : countFlag('tp', values.tp)
    const found = wanted(name, model, gpu, tp)
    if (found === undefined) return list({ model, gpu, tp }, output, terminal)
    const usual: Usual = {
      promptTokens: countFlag('prompt-tokens', values['prompt-tokens']),
      outputTokens: countFlag('output-tokens', values['output-tokens']),
      ttftSeconds: durationFlag('ttft', values.ttft),
      itlSeconds: durationFlag('itl', values.itl),
    }
    if (found.kind === 'notFound')
      throw new CommandError(exitCodes.failed, notFound(name ?? `${model} on ${gpu} x ${tp}`, found.nearest))
    const shown = show(found.profile, usual)
    terminal.out(
      output === 'json' ? `${JSON.stringify(shown.document, null, 2)}\n` : `${shown.lines.join('\n')}\n`,
    )
    return exitCodes.good
  },
})

const resolve = resolveFrom(measuredProfiles)

/** Undefined where the library is to be listed. */
function wanted(
  name: string | undefined,
  model: string | undefined,
  gpu: string | undefined,
  tp: number | undefined,
): FoundProfile | undefined {
  if (name !== undefined)
    return resolve({ name, model: name, acceleratorType: gpu ?? '', acceleratorCount: tp ?? 1 })
  if (model === undefined || gpu === undefined || tp === undefined) return undefined
  return resolve({ model, acceleratorType: gpu, acceleratorCount: tp })
}

function notFound(asked: string, nearest: readonly string[]): string {
  const near = nearest.length === 0 ? '' : ` Nearest: ${nearest.join(', ')}.`
  return `no profile ${asked}, and no estimate: the model's name holds no size, the GPU is unknown, or the weights do not fit.${near} See: mixscaler profile show`
}

interface Narrowed {
  readonly model: string | undefined
  readonly gpu: string | undefined
  readonly tp: number | undefined
}

function list(narrowed: Narrowed, output: 'table' | 'json', terminal: Terminal): ExitCode {
  const entries = measuredProfiles.filter((entry) => fits(entry, narrowed))
  if (output === 'json')
    terminal.out(`${JSON.stringify({ format: 'mixscaler-library/1', profiles: entries }, null, 2)}\n`)
  else if (entries.length === 0)
    terminal.out('no measured profile: with --model, --gpu and --tp you get an estimate\n')
  else terminal.out(`${listing(entries, terminal.columns ?? plainColumns).join('\n')}\n`)
  return exitCodes.good
}

/** An entry is found under every name that would resolve to it. */
function fits(entry: MeasuredProfile, { model, gpu, tp }: Narrowed): boolean {
  const parts = /^([^/]+)\/([^/@]+)-tp(\d+)/.exec(entry.name)
  if (parts === null) return false
  const [, base = '', accelerator = '', count = ''] = parts
  if (tp !== undefined && Number(count) !== tp) return false
  const found = resolve({
    model: model ?? base,
    acceleratorType: gpu ?? accelerator,
    acceleratorCount: Number(count),
  })
  const plain = entry.name.split('@')[0]
  return found.kind === 'found' && found.profile.name === plain
}

function listing(entries: readonly MeasuredProfile[], width: number): readonly string[] {
  return table(
    [
      { title: 'PROFILE', align: 'left' },
      { title: 'QUALITY', align: 'left' },
      { title: 'UNSEEN %', align: 'right' },
      { title: 'ENGINE', align: 'left' },
    ],
    entries.map(({ name, quality, heldOut, engine }) => [
      name,
      quality,
      `${heldOut.median}, ${heldOut.p90}`,
      engine,
    ]),
    width,
  )
}

interface Usual {
  readonly promptTokens: number
  readonly outputTokens: number
  readonly ttftSeconds: number
  readonly itlSeconds: number
}

function show(
  profile: Profile,
  usual: Usual,
): { readonly lines: readonly string[]; readonly document: object } {
  const measured = measuredProfiles.find(({ name }) => name === profile.name)
  const question = questionOf(profile, usual)
  const inSlo = capacityOf(question)
  const atAll = capacityOf({ ...question, goal: { kind: 'throughput' } })
  const idle = idleLatency({ profile, promptTokens: usual.promptTokens, outputTokens: usual.outputTokens })
  const { promptTokens, outputTokens, ttftSeconds, itlSeconds } = usual
  const lines = [
    `${profile.name}: ${profile.quality}`,
    `  ${qualities[profile.quality]}`,
    `  source: ${profile.source}`,
    ...(measured === undefined
      ? []
      : [
          `  held out (one ${measured.heldOut.leftOut} at a time): median ${measured.heldOut.median} %, p90 ${measured.heldOut.p90} % of the time per token`,
        ]),
    `  KV cache: ${question.limits.kvTokens} tokens${profile.kvTokens === undefined ? ' (assumed)' : ''}`,
    '',
    'One replica, alone, 256 sequences and 8192 tokens per step at most:',
    `  an idle one answers ${promptTokens} tokens after ${milliseconds(idle.ttftSeconds)} and goes on every ${milliseconds(idle.itlSeconds)}`,
    `  ${promptTokens}/${outputTokens} tokens within TTFT p95 ${milliseconds(ttftSeconds)} and ITL p95 ${milliseconds(itlSeconds)}: ${spelled(inSlo)}`,
    `  without an SLO, at 90 % of saturation: ${spelled(atAll)}`,
    '',
    'In a policy, under variants:',
    `  profile: ${profile.quality === 'guess' ? '(found by model, accelerator and count; leave it out)' : profile.name}`,
  ]
  return {
    lines,
    document: {
      format: 'mixscaler-profile/1',
      profile,
      ...(measured === undefined ? {} : { heldOut: measured.heldOut }),
      usual,
      idle,
      capacity: inSlo,
      throughput: atAll,
    },
  }
}

function questionOf(
  profile: Profile,
  { promptTokens, outputTokens, ttftSeconds, itlSeconds }: Usual,
): CapacityQuestion {
  return {
    role: 'unified',
    profile,
    limits: { ...engineLimits, kvTokens: profile.kvTokens ?? assumedKvTokens },
    shape: {
      promptTokens: assumedLengths(promptTokens),
      outputTokens: assumedLengths(outputTokens),
      prefixHitRate: 0,
    },
    goal: {
      kind: 'interactive',
      ttft: { percentile: 0.95, seconds: ttftSeconds },
      itl: { percentile: 0.95, seconds: itlSeconds },
    },
    replicas: 1,
    dispersion: 1,
    sloMargin: 0.95,
    maxLoad: 0.9,
  }
}

function spelled(capacity: Capacity): string {
  return capacity.kind === 'feasible'
    ? `${Number(capacity.requestsPerSecond.toPrecision(3))} requests/s, limited by ${limitName(capacity.limitedBy)}`
    : `not possible: ${capacity.why}`
}

function milliseconds(seconds: number): string {
  return `${Number((1000 * seconds).toPrecision(3))} ms`
}
