// Small files as tools write them, made here: what the tests of readers, linter and fit read.
import { crc32, deflateRawSync } from 'node:zlib'
import type { MeasurementFile } from '../../src/profiling/measurements.ts'

export function textFile(name: string, text: string): MeasurementFile {
  return { name, bytes: new TextEncoder().encode(text) }
}

export function jsonFile(name: string, value: unknown): MeasurementFile {
  return textFile(name, JSON.stringify(value))
}

/** A numpy array of doubles, format 1.0. */
export function npy(values: readonly number[], descr = '<f8', shape = `(${values.length},)`): Uint8Array {
  const header = `${`{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`.padEnd(117)}\n`
  const bytes = new Uint8Array(10 + header.length + 8 * values.length)
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0])
  bytes.set(new TextEncoder().encode(header), 10)
  const view = new DataView(bytes.buffer)
  values.forEach((value, i) => {
    view.setFloat64(10 + header.length + 8 * i, value, true)
  })
  return bytes
}

export function npz(
  arrays: Readonly<Record<string, readonly number[]>>,
  packing: 'stored' | 'deflated' = 'stored',
): Uint8Array {
  const members = Object.entries(arrays).map(([name, values]) => ({
    name: `${name}.npy`,
    bytes: npy(values),
  }))
  return zip(members, packing)
}

export function zip(
  members: readonly { readonly name: string; readonly bytes: Uint8Array }[],
  packing: 'stored' | 'deflated' = 'stored',
): Uint8Array {
  const parts: Uint8Array[] = []
  const directory: Uint8Array[] = []
  let offset = 0
  for (const { name, bytes } of members) {
    const encoded = new TextEncoder().encode(name)
    const packed = packing === 'stored' ? bytes : new Uint8Array(deflateRawSync(bytes))
    const method = packing === 'stored' ? 0 : 8
    const fields = new DataView(new ArrayBuffer(26))
    fields.setUint16(0, 20, true)
    fields.setUint16(4, method, true)
    fields.setUint32(10, crc32(bytes), true)
    fields.setUint32(14, packed.length, true)
    fields.setUint32(18, bytes.length, true)
    fields.setUint16(22, encoded.length, true)
    const local = new Uint8Array([0x50, 0x4b, 3, 4, ...new Uint8Array(fields.buffer), ...encoded])
    parts.push(local, packed)
    const tail = new DataView(new ArrayBuffer(14))
    tail.setUint32(10, offset, true)
    directory.push(
      new Uint8Array([
        0x50,
        0x4b,
        1,
        2,
        20,
        0,
        ...new Uint8Array(fields.buffer),
        ...new Uint8Array(tail.buffer),
        ...encoded,
      ]),
    )
    offset += local.length + packed.length
  }
  const size = directory.reduce((sum, { length }) => sum + length, 0)
  const end = new DataView(new ArrayBuffer(22))
  end.setUint32(0, 0x06054b50, true)
  end.setUint16(8, members.length, true)
  end.setUint16(10, members.length, true)
  end.setUint32(12, size, true)
  end.setUint32(16, offset, true)
  return concat([...parts, ...directory, new Uint8Array(end.buffer)])
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let place = 0
  for (const part of parts) {
    whole.set(part, place)
    place += part.length
  }
  return whole
}

/** As `vllm bench serve --save-result` writes it. */
export function vllmResult(changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    date: '20261001-120000',
    backend: 'vllm',
    model_id: 'meta-llama/Llama-3.1-8B-Instruct',
    num_prompts: 100,
    gpu: 'h100',
    tp: '1',
    request_rate: 4,
    burstiness: 1,
    max_concurrency: null,
    duration: 100,
    completed: 400,
    total_input_tokens: 400 * 512,
    total_output_tokens: 400 * 101,
    request_throughput: 4,
    mean_ttft_ms: 30,
    median_ttft_ms: 28,
    mean_tpot_ms: 8,
    mean_itl_ms: 8.1,
    mean_e2el_ms: 830,
    ...changes,
  }
}

/** A benchmark of a GuideLLM report, as far as it is read. */
export function guidellmBenchmark(strategy: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const statistic = (mean: number, deviation = 0): object => ({
    successful: { mean, median: mean, std_dev: deviation, count: 180 },
  })
  return {
    config: { strategy },
    duration: 60,
    metrics: {
      requests_per_second: statistic(3.1),
      request_concurrency: statistic(2.5),
      request_latency: statistic(0.84),
      prompt_token_count: statistic(512, 100),
      output_token_count: statistic(101, 20),
      time_to_first_token_ms: statistic(40),
      inter_token_latency_ms: statistic(8),
    },
  }
}

export const runsHeader = 'model,gpu,tp,prompt_tokens,output_tokens,clients,ttft_ms,itl_ms'
