import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { gapOf, type ProfileData } from '../../src/core/profiles/measurement.ts'
import { parseCsv } from '../../src/profiling/csv.ts'
import { parseJson } from '../../src/profiling/json.ts'
import { type MeasurementFile, readMeasurements } from '../../src/profiling/measurements.ts'
import { readNpy } from '../../src/profiling/npy.ts'
import { ownText } from '../../src/profiling/ownFormat.ts'
import { Unreadable } from '../../src/profiling/unreadable.ts'
import { unzip } from '../../src/profiling/zip.ts'
import { guidellmBenchmark, jsonFile, npy, npz, runsHeader, textFile, vllmResult, zip } from './files.ts'

function read(file: MeasurementFile): ProfileData {
  return readMeasurements(file, {}).data
}

const prefillArrays = {
  prefill_isl: [100, 1000, 2000],
  prefill_ttft: [20, 40, 70],
  prefill_thpt_per_gpu: [5000, 25000, 28571],
}
const decodeArrays = {
  x_kv_usage: [0.01, 0.2],
  y_context_length: [500, 500],
  z_itl: [5, 9],
  z_thpt_per_gpu: [200, 4444],
  max_kv_tokens: [100_000],
}

describe('Dynamo profiles', () => {
  it.each([
    'stored',
    'deflated',
  ] as const)('reads %s npz archives of prefill and decode sweeps', (packing) => {
    const bytes = npz({ ...prefillArrays, ...decodeArrays }, packing)
    const { format, data } = readMeasurements(
      { name: 'raw_data.npz', bytes },
      { model: 'm', gpu: 'h200', tp: 2 },
    )
    expect(format).toBe('Dynamo npz')
    expect(data.prefill.map(({ promptTokens, ttftMs }) => [promptTokens, ttftMs])).toEqual([
      [100, 20],
      [1000, 40],
      [2000, 70],
    ])
    expect(data.decode[1]).toEqual({
      origin: { file: 'raw_data.npz', row: 2 },
      setup: { model: 'm', gpu: 'h200', tp: 2, engine: 'engine not stated' },
      contextTokens: 500,
      sequences: 40,
      itlMs: 9,
      maxKvTokens: 100_000,
      tokensPerSecondPerGpu: 4444,
    })
  })

  it('reads the same arrays as JSON, and the document with sections', () => {
    expect(read(jsonFile('raw.json', { ...decodeArrays, max_kv_tokens: 100_000 })).decode).toHaveLength(2)
    const document = {
      model: 'nvidia/Llama-3.1-8B-Instruct-FP8',
      gpu: 'h200_sxm',
      engine: 'vllm 0.10.1.1',
      tp: 1,
      max_kv_tokens: 945_029,
      prefill: { isl: [100, 1117], ttft_ms: [19.525, 38.494], tokens_per_s_per_gpu: [5121.58, 29017.41] },
      decode: { kv_usage: [0.00037, 0.097404], context_length: [350, 350], itl_ms: [4.38, 19.11] },
    }
    const { prefill, decode } = read(jsonFile('profile.json', document))
    expect(prefill[1]).toMatchObject({ promptTokens: 1117, ttftMs: 38.494, tokensPerSecondPerGpu: 29017.41 })
    expect(decode.map(({ sequences }) => sequences)).toEqual([1, 263])
    expect(decode[0]?.setup).toEqual({
      model: 'nvidia/Llama-3.1-8B-Instruct-FP8',
      gpu: 'h200_sxm',
      tp: 1,
      engine: 'vllm 0.10.1.1',
    })
  })

  it('says what is missing or does not fit together', () => {
    const { max_kv_tokens: _, ...without } = decodeArrays
    expect(() => read(jsonFile('a.json', without))).toThrow('a.json: max_kv_tokens is missing')
    const uneven = { ...prefillArrays, prefill_ttft: [20] }
    expect(() => read(jsonFile('a.json', uneven))).toThrow(
      'lists of equal length were expected: got 3 prompt lengths, 1 TTFTs',
    )
    expect(() => read({ name: 'a.npz', bytes: npz({ weights: [1] }) })).toThrow(
      'prefill_isl or x_kv_usage was expected: got weights',
    )
  })
})

describe('AIBrix profiles', () => {
  const profile = {
    gpu: 'a100',
    tputs: [
      [60, 30],
      [15, 0],
    ],
    indexes: [
      [4, 64],
      [128, 512],
    ],
    e2e: [
      [0.1, 0.2],
      [0.8, 5],
    ],
    slos: { percentile: 99, e2e: 5 },
  }

  it('reads rows as output tokens and columns as prompt tokens, without the cells that met no SLO', () => {
    const { runs } = read(jsonFile('a.json', profile))
    expect(
      runs.map(({ promptTokens, outputTokens, load, e2eMs }) => [
        promptTokens.mean,
        outputTokens.mean,
        load,
        e2eMs,
      ]),
    ).toEqual([
      [128, 4, { kind: 'rate', requestsPerSecond: 60, arrivals: 'poisson' }, 100],
      [512, 4, { kind: 'rate', requestsPerSecond: 30, arrivals: 'poisson' }, 200],
      [128, 64, { kind: 'rate', requestsPerSecond: 15, arrivals: 'poisson' }, 800],
    ])
    expect(runs[0]?.remark).toBe('latency is p99, not the mean')
  })

  it('recognises swapped rows and columns by the lengths of the axes', () => {
    const turned = {
      ...profile,
      tputs: [
        [60, 15],
        [30, 0],
        [1, 1],
      ],
      indexes: [
        [4, 64],
        [128, 512, 2048],
      ],
    }
    expect(() => read(jsonFile('a.json', turned))).toThrow('got 3 rows, so rows and columns are swapped')
  })
})

describe('vLLM bench results', () => {
  it('reads loads, lengths and times of single results, lists and appended lines', () => {
    const closed = vllmResult({ request_rate: 'inf', max_concurrency: 8 })
    const burst = vllmResult({ request_rate: 'inf' })
    const { runs } = read(jsonFile('r.json', [vllmResult(), closed, burst]))
    expect(runs.map(({ load }) => load)).toEqual([
      { kind: 'rate', requestsPerSecond: 4, arrivals: 'poisson' },
      { kind: 'clients', clients: 8 },
      { kind: 'burst' },
    ])
    expect(runs[0]).toMatchObject({
      setup: { model: 'meta-llama/Llama-3.1-8B-Instruct', gpu: 'h100', tp: 1, engine: 'vLLM' },
      promptTokens: { mean: 512, meanSquare: 512 * 512 },
      ttftMs: 30,
      itlMs: 8,
      e2eMs: 830,
      requests: 400,
    })
    const lines = `${JSON.stringify(vllmResult())}\n${JSON.stringify(closed)}\n`
    expect(read(textFile('appended.json', lines)).runs).toHaveLength(2)
    // The whole duration says 8 ms per token, whatever the client counted.
    expect(gapOf(runs[0] ?? expect.fail())).toBeCloseTo(8, 12)
  })

  it('takes the spread of lengths from the metadata, or from every request', () => {
    const spread = read(jsonFile('r.json', vllmResult({ length_spread: '0.5' }))).runs[0]
    expect(spread?.promptTokens.meanSquare).toBeCloseTo(512 * 512 * (1 + 0.25 / 3), 6)
    const detailed = read(jsonFile('r.json', vllmResult({ input_lens: [100, 300] }))).runs[0]
    expect(detailed?.promptTokens).toEqual({ mean: 200, meanSquare: 50_000 })
  })

  it('reads what Python writes for numbers that JSON has not', () => {
    const text = JSON.stringify(vllmResult({ request_rate: 'RATE' })).replace('"RATE"', 'Infinity')
    expect(read(textFile('r.json', text)).runs[0]?.load).toEqual({ kind: 'burst' })
    expect(parseJson('{"a": "NaN Infinity", "b": [NaN, -Infinity, 1]}')).toEqual({
      a: 'NaN Infinity',
      b: [null, null, 1],
    })
  })

  it('refuses a run that completed nothing', () => {
    expect(() => read(jsonFile('r.json', vllmResult({ completed: 0 })))).toThrow(
      'r.json: run 1 completed no requests',
    )
  })
})

describe('GuideLLM reports', () => {
  it('reads every strategy of a report', () => {
    const report = {
      args: { model: 'openai/gpt-oss-20b' },
      benchmarks: [
        guidellmBenchmark({ type_: 'synchronous' }),
        guidellmBenchmark({ type_: 'concurrent', streams: 8 }),
        guidellmBenchmark({ type_: 'constant', rate: 3 }),
        guidellmBenchmark({ type_: 'poisson', rate: 3 }),
        guidellmBenchmark({ type_: 'throughput' }),
      ],
    }
    const { runs } = read(jsonFile('benchmarks.json', report))
    expect(runs.map(({ load }) => load)).toEqual([
      { kind: 'clients', clients: 1 },
      { kind: 'clients', clients: 8 },
      { kind: 'rate', requestsPerSecond: 3, arrivals: 'constant' },
      { kind: 'rate', requestsPerSecond: 3, arrivals: 'poisson' },
      { kind: 'burst' },
    ])
    expect(runs[3]).toMatchObject({
      setup: { model: 'openai/gpt-oss-20b' },
      promptTokens: { mean: 512, meanSquare: 512 * 512 + 100 * 100 },
      // Requests over duration: the mean of rates between completions is biased.
      achievedPerSecond: 3,
      running: 2.5,
      e2eMs: 840,
      durationSeconds: 60,
    })
  })

  it('reads flat records, as its CSV and as a list of objects made from that', () => {
    const record = {
      Name: 'constant@13.6',
      Duration: 360,
      'Successful Requests': 4896,
      'Successful Request latency mean': 0.678,
      'Successful Prompt token count mean': 1027.9,
      'Successful Prompt token count std dev': 293,
      'Successful Output token count mean': 64.5,
      'Successful Output token count std dev': 19,
      'Successful Time to first token ms mean': 38.1,
      'Successful Time to first token ms median': 37.9,
      'Successful Inter token latency ms mean': 10.02,
    }
    const [fromList] = read(jsonFile('sweep.json', [record])).runs
    const columns = Object.keys(record).map((key) => `"${key}"`)
    const csv = `${columns.join(',')}\n${Object.values(record).join(',')}\n`
    const [fromCsv] = read(textFile('sweep.csv', csv)).runs
    expect(fromList).toMatchObject({
      load: { kind: 'rate', requestsPerSecond: 13.6, arrivals: 'constant' },
      achievedPerSecond: 13.6,
      itlMs: 10.02,
      e2eMs: 678,
    })
    expect(fromCsv).toEqual({ ...fromList, origin: { file: 'sweep.csv', row: 2 } })
  })

  it('names the strategies it knows where it meets another', () => {
    const report = { benchmarks: [guidellmBenchmark({ type_: 'sweep' })] }
    expect(() => read(jsonFile('b.json', report))).toThrow(
      'must be synchronous, concurrent, constant, poisson or throughput',
    )
  })
})

describe('stated coefficients', () => {
  it('maps alpha, beta and gamma so that decode and prefill cost what inferno says', () => {
    const entry = {
      name: 'granite_13b',
      acc: 'A100',
      accCount: 1,
      maxBatchSize: 64,
      perfParms: { alpha: 20.58, beta: 0.041, gamma: 0.00128 },
    }
    const [law] = read(jsonFile('model-data.json', { models: [entry] })).laws
    expect(law).toMatchObject({ setup: { model: 'granite_13b', gpu: 'A100', tp: 1 }, maxNumSeqs: 64 })
    expect(law?.law).toMatchObject({ a: 20.58, b: 0.041, c: 0.00128, ap: 20.58, d2: 0, h: 0 })
    expect(law?.law.bp).toBeCloseTo(0.041 + 0.00064, 12)
  })

  it('maps the older pairs, also where numbers are written as text', () => {
    const perfParms = {
      decodeParms: { alpha: '6.9', beta: '0.03' },
      prefillParms: { gamma: '5.2', delta: '0.1' },
    }
    const [law] = read(jsonFile('m.json', { models: [{ name: 'm', acc: 'H100', perfParms }] })).laws
    expect(law?.law).toMatchObject({ a: 6.9, b: 0.03, c: 0, ap: 5.2, bp: 0.1 })
  })

  it('reads lists of this project’s own coefficients', () => {
    const profiles = [
      {
        model: 'm-7b',
        gpu: 'h100',
        tp: 1,
        a: 6,
        b: 0.02,
        c: null,
        ap_plus_h: 9,
        bp: 0.01,
        x: 2,
        kap: 0.03,
        kv: 1000,
      },
    ]
    const [law] = read(jsonFile('p.json', { profiles })).laws
    expect(law).toMatchObject({
      law: { a: 6, ap: 9, c: 0, mixtureOfExperts: { x: 2, kappa: 0.03 } },
      kvTokens: 1000,
    })
  })
})

describe('CSV tables', () => {
  it('reads runs under any of the known column names, seconds where the name says so', () => {
    const csv =
      'config,stage,requested_req_s,req_s,prompt_mean,output_mean,ttft_s_mean,ttft_s_p50,tpot_s_mean,e2e_s_mean\n' +
      'vllm,0,31.4,31.2,204,62,0.0298,0.0293,0.004,0.547\n'
    expect(read(textFile('stages.csv', csv)).runs).toEqual([
      {
        origin: { file: 'stages.csv', row: 2 },
        setup: { model: 'unnamed', gpu: 'unnamed', tp: 1, engine: 'vllm' },
        load: { kind: 'rate', requestsPerSecond: 31.4, arrivals: 'constant' },
        promptTokens: { mean: 204, meanSquare: 41616 },
        outputTokens: { mean: 62, meanSquare: 3844 },
        ttftMs: 29.8,
        ttftMedianMs: expect.closeTo(29.3, 9),
        itlMs: 4,
        e2eMs: 547,
        achievedPerSecond: 31.2,
      },
    ])
  })

  it('tells engines apart by version, precision, data and expert parallelism', () => {
    const csv =
      'model,gpu,precision,vllm_version,tp,dp,ep,isl,osl,concurrency,ttft_ms,tpot_ms,flags\n' +
      'org/Big-100B,b200_sxm,fp4,0.19.0,2,2,4,1024,1024,16,84,11,queue_saturated\n'
    expect(read(textFile('s.csv', csv)).runs[0]).toMatchObject({
      setup: { model: 'org/Big-100B-fp4', gpu: 'b200_sxm', tp: 2, engine: 'vLLM 0.19.0, dp 2, ep 4' },
      load: { kind: 'clients', clients: 16 },
      remark: 'queue_saturated',
    })
  })

  it('names line and column of a cell that is no number, and the columns that are needed', () => {
    expect(() => read(textFile('r.csv', `${runsHeader}\nm,h100,1,512,100,eight,30,8\n`))).toThrow(
      'r.csv: line 2: clients must be a number: got "eight"',
    )
    expect(() => read(textFile('r.csv', `${runsHeader}\nm,h100,1,512,100,,30,8\n`))).toThrow(
      'line 2: a load is needed',
    )
    expect(() => read(textFile('r.csv', 'time,value\n1,2\n'))).toThrow(
      'runs need the columns prompt_tokens, output_tokens',
    )
  })

  it('reads quotes, doubled quotes, line ends of both kinds and no line end at all', () => {
    const { rows } = parseCsv('\uFEFFA,b\r\n"x, ""y""\nz",1\r\n\r\n2,""')
    expect(rows).toEqual([
      { line: 2, cells: { a: 'x, "y"\nz', b: '1' } },
      { line: 5, cells: { a: '2', b: '' } },
    ])
    expect(() => parseCsv('a,b\n1\n')).toThrow('line 2 has 1 cells: the header has 2 columns')
    expect(() => parseCsv('a,b\n"1,2\n')).toThrow('quote')
  })
})

describe('the imported form', () => {
  it('comes back as it went out', () => {
    const all: ProfileData = {
      runs: read(jsonFile('r.json', vllmResult())).runs,
      prefill: read({ name: 'p.npz', bytes: npz(prefillArrays) }).prefill,
      decode: read(jsonFile('d.json', decodeArrays)).decode,
      laws: read(jsonFile('l.json', { profiles: [{ a: 1, b: 2, bp: 3, x: 1, kap: 0.5 }] })).laws,
    }
    expect(read(textFile('all.json', ownText(all)))).toEqual(all)
  })

  it('names the field that somebody broke by hand', () => {
    const text = ownText({
      runs: read(jsonFile('r.json', vllmResult())).runs,
      prefill: [],
      decode: [],
      laws: [],
    })
    const broken = text.replace('"kind": "rate"', '"kind": "rates"')
    expect(() => read(textFile('all.json', broken))).toThrow(
      'runs[0].load.kind must be rate, clients or burst: got "rates"',
    )
  })
})

describe('hostile input', () => {
  const seeds: readonly MeasurementFile[] = [
    { name: 'd.npz', bytes: npz({ ...prefillArrays, ...decodeArrays }, 'deflated') },
    { name: 's.npz', bytes: npz(prefillArrays) },
    jsonFile('v.json', [vllmResult(), vllmResult({ request_rate: 'inf' })]),
    jsonFile('g.json', { benchmarks: [guidellmBenchmark({ type_: 'constant', rate: 3 })] }),
    jsonFile('a.json', { tputs: [[1]], indexes: [[4], [8]], e2e: [[1]] }),
    jsonFile('i.json', { models: [{ name: 'm', perfParms: { alpha: 1, beta: 1, gamma: 1 } }] }),
    textFile('r.csv', `${runsHeader}\nm,h100,1,512,100,8,30,8\n"a ""b""",h100,2,1,1,1,1,1\n`),
    textFile('d.csv', 'context_tokens,implied_concurrency,itl_ms\n350,1,4\n350,9,6\n'),
  ]

  it('is read or refused with a reason, never a crash, whatever bytes are changed, cut or added', () => {
    const change = fc.record({
      seed: fc.nat(seeds.length - 1),
      cut: fc.double({ min: 0, max: 1, noNaN: true }),
      edits: fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(255)), { maxLength: 6 }),
      tail: fc.uint8Array({ maxLength: 8 }),
    })
    fc.assert(
      fc.property(change, ({ seed, cut, edits, tail }) => {
        const original = seeds[seed]?.bytes ?? new Uint8Array()
        const kept = cut < 0.5 ? original.length : Math.floor(2 * (1 - cut) * original.length)
        const bytes = new Uint8Array([...original.subarray(0, kept), ...tail])
        for (const [place, value] of edits) bytes[Math.floor(place * (bytes.length - 1))] = value
        refusedOrRead({ name: 'fuzzed', bytes })
      }),
      { numRuns: 1500 },
    )
  })

  it('is read or refused where every value of a document may be anything', () => {
    const keys = [
      'tputs',
      'indexes',
      'e2e',
      'benchmarks',
      'metrics',
      'models',
      'perfParms',
      'profiles',
      'a',
      'prefill',
      'decode',
      'isl',
      'ttft_ms',
      'kv_usage',
      'x_kv_usage',
      'prefill_isl',
      'prefill_ttft',
      'request_throughput',
      'mean_ttft_ms',
      'completed',
      'format',
      'runs',
      '__proto__',
      'constructor',
    ]
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom(null, true, 0, -1, 1e308, '', 'inf', 'mixscaler-measurements/1'),
        fc.double(),
        fc.array(tie('any'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...keys), tie('any'), { maxKeys: 6 }),
      ),
    })).any
    fc.assert(
      fc.property(value, (document) => refusedOrRead(jsonFile('fuzzed', document))),
      { numRuns: 1500 },
    )
  })

  it('caps archives that promise or unpack to too much', () => {
    const bomb = zip([{ name: 'a.npy', bytes: new Uint8Array(1024 * 1024) }], 'deflated')
    const lying = bomb.slice()
    const view = new DataView(lying.buffer)
    // Both headers say that it unpacks to 10 bytes.
    view.setUint32(22, 10, true)
    view.setUint32(lying.length - 22 - 51 + 24, 10, true)
    expect(() => unzip(lying)).toThrow(Unreadable)
    view.setUint32(lying.length - 22 - 51 + 24, 1024 * 1024 * 1024, true)
    expect(() => unzip(lying)).toThrow('holds more than 64 MiB')
    expect(() => readNpy(npy([1], '<f8', '(1000000, 1000000)'))).toThrow('at most 1000000 values')
    expect(() => readNpy(npy([1], '|O'))).toThrow('a numpy array of numbers was expected: got "|O"')
    const much = { name: 'big.csv', bytes: new Uint8Array(65 * 1024 * 1024) }
    expect(() => readMeasurements(much, {})).toThrow(
      'big.csv: a file of at most 64 MiB was expected: got 65.0 MiB',
    )
  })
})

function refusedOrRead(file: MeasurementFile): void {
  try {
    const { data } = readMeasurements(file, {})
    for (const rows of [data.runs, data.prefill, data.decode, data.laws])
      expect(Array.isArray(rows)).toBe(true)
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    expect(error.message).toMatch(/^fuzzed: .{5,}/s)
  }
}
