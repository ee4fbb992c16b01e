import { describe, expect, it } from 'vitest'
import {
  type DecodePoint,
  fixedLength,
  noData,
  type PrefillPoint,
  type ProfileData,
  type Run,
  type Setup,
} from '../../src/core/profiles/measurement.ts'
import { rowsText } from '../../src/profiling/lint/finding.ts'
import { lint, without } from '../../src/profiling/lint/lint.ts'

const setup: Setup = { model: 'org/m-70b-fp8', gpu: 'h100', tp: 2, engine: 'vllm 0.11' }

/** Prefill as a clean engine of so many GPUs sweeps it; `change` plants a defect. */
function prefill(
  tp: number,
  change: (point: PrefillPoint, i: number) => Partial<PrefillPoint> = () => ({}),
): PrefillPoint[] {
  return [100, 2135, 4170, 6205, 8240, 10275, 12310].map((promptTokens, i) => {
    const ttftMs = 20 + 0.15 * (promptTokens / tp) + 2e-6 * promptTokens ** 2
    const point = {
      origin: { file: `tp${tp}`, row: i + 2 },
      setup: { ...setup, tp },
      promptTokens,
      ttftMs,
      tokensPerSecondPerGpu: (1000 * promptTokens) / ttftMs / tp,
    }
    return { ...point, ...change(point, i) }
  })
}

function decode(
  tp: number,
  change: (point: DecodePoint) => Partial<DecodePoint> = () => ({}),
): DecodePoint[] {
  const contexts = [350, 3000, 16000]
  return contexts.flatMap((contextTokens, i) =>
    [1, 2, 40, 80, 120, 160].map((sequences, j): DecodePoint => {
      const itlMs = 9 + 0.05 * sequences + 6e-5 * sequences * contextTokens
      const point = {
        origin: { file: `tp${tp}`, row: 6 * i + j + 2 },
        setup: { ...setup, tp },
        contextTokens,
        sequences,
        itlMs,
        tokensPerSecondPerGpu: (1000 * sequences) / itlMs / tp,
        maxKvTokens: 100_000 * tp,
      }
      return { ...point, ...change(point) }
    }),
  )
}

/** A clean closed-loop sweep of one shape. */
function closedLoop(
  change: (run: Run, i: number) => Partial<Run> = () => ({}),
  prompt = 1024,
  output = 1024,
): Run[] {
  return [4, 8, 16, 32, 64].map((clients, i) => {
    const run: Run = {
      origin: { file: 'runs', row: i + 2 },
      setup,
      load: { kind: 'clients', clients },
      promptTokens: fixedLength(prompt),
      outputTokens: fixedLength(output),
      ttftMs: 30 + 0.05 * prompt + 2 * clients,
      itlMs: 8 + 0.1 * clients,
    }
    return { ...run, ...change(run, i) }
  })
}

/** A clean open-loop sweep. */
function openLoop(change: (run: Run, i: number) => Partial<Run> = () => ({})): Run[] {
  return [1, 20, 40, 60, 80].map((requestsPerSecond, i) => {
    const ttftMs = 24 + i
    const itlMs = 7 + i
    const run: Run = {
      origin: { file: 'stages', row: i + 2 },
      setup,
      load: { kind: 'rate', requestsPerSecond, arrivals: 'constant' },
      promptTokens: fixedLength(200),
      outputTokens: fixedLength(61),
      ttftMs,
      itlMs,
      e2eMs: ttftMs + 60 * itlMs,
      achievedPerSecond: requestsPerSecond * 0.99,
      durationSeconds: 60,
    }
    return { ...run, ...change(run, i) }
  })
}

function found(data: Partial<ProfileData>): [defect: string, rows: string, use: string][] {
  return lint({ ...noData, ...data }).map(({ defect, rows, use }) => [defect, rowsText(rows), use])
}

describe('clean measurements', () => {
  it('raise no alarm', () => {
    const data = {
      runs: [...closedLoop(), ...openLoop()],
      prefill: [...prefill(2), ...prefill(4)],
      decode: [...decode(2), ...decode(4)],
    }
    expect(found(data)).toEqual([])
  })

  it('raise none either with the 4 % by which two sessions of one engine differ', () => {
    const noisy = closedLoop(({ itlMs = 0 }, i) => ({ itlMs: itlMs * (i % 2 === 0 ? 1.04 : 0.96) }))
    const steady = noisy.map((run, i) => (i === 1 ? { ...run, itlMs: 8.4 } : run))
    expect(found({ runs: steady })).toEqual([])
    expect(
      found({ prefill: prefill(2, ({ ttftMs }, i) => ({ ttftMs: ttftMs * (i % 2 === 0 ? 1.04 : 0.96) })) }),
    ).toEqual([])
  })
})

describe('throughputs that mean something else', () => {
  it('are found where they were divided by the GPUs of the node, whatever the parallelism', () => {
    const byEight = (tp: number): PrefillPoint[] =>
      prefill(tp, ({ tokensPerSecondPerGpu = 0 }) => ({
        tokensPerSecondPerGpu: (tokensPerSecondPerGpu * tp) / 8,
      }))
    const findings = lint({ ...noData, prefill: [...byEight(2), ...byEight(4), ...byEight(8)] })
    expect(findings).toHaveLength(1)
    expect(findings[0]).toMatchObject({ defect: 'perGpuThroughput', use: 'kept' })
    expect(findings[0]?.text).toContain(
      'TP2 and TP4: the stated tokens/s per GPU are divided by 8 and not by its GPUs',
    )
    expect(rowsText(findings[0]?.rows ?? [])).toBe('tp2 rows 2-8; tp4 rows 2-8')
  })

  it('are found where they are per engine', () => {
    const perEngine = decode(4, ({ tokensPerSecondPerGpu = 0 }) => ({
      tokensPerSecondPerGpu: 4 * tokensPerSecondPerGpu,
    }))
    expect(lint({ ...noData, decode: perEngine })[0]?.text).toContain('per engine, not per GPU')
  })

  it('are found where prefill time is in them, growing with the context even for one sequence', () => {
    const included = decode(2, ({ tokensPerSecondPerGpu = 0, contextTokens }) => ({
      tokensPerSecondPerGpu: tokensPerSecondPerGpu / (1 + contextTokens / 8000),
    }))
    const findings = lint({ ...noData, decode: included })
    expect(findings.map(({ defect, use }) => [defect, use])).toEqual([['prefillInThroughput', 'corrected']])
    expect(rowsText(findings[0]?.rows ?? [])).toBe('tp2 rows 8-19')
  })
})

describe('sweeps', () => {
  it('with one point far off its curve lose that point and no other', () => {
    for (const factor of [2, 0.5, 1.4]) {
      const spoiled = prefill(8, ({ ttftMs }, i) =>
        i === 3 ? { ttftMs: factor * ttftMs, tokensPerSecondPerGpu: 0 } : {},
      )
      expect(found({ prefill: spoiled })).toEqual([['outlier', 'tp8 row 5', 'dropped']])
    }
  })

  it('of decodes lose the point that is far off, too', () => {
    for (const factor of [2, 0.3]) {
      const spoiled = decode(2, (point) =>
        point.contextTokens === 3000 && point.sequences === 160
          ? { itlMs: factor * point.itlMs, tokensPerSecondPerGpu: 0 }
          : {},
      )
      expect(found({ decode: spoiled })).toEqual([['outlier', 'tp2 row 13', 'dropped']])
    }
  })

  it('with one KV size for every parallelism are told that it cannot be', () => {
    const same = [2, 4].flatMap((tp) => decode(tp, () => ({ maxKvTokens: 224_133 })))
    const [finding] = lint({ ...noData, decode: same })
    expect(finding).toMatchObject({ defect: 'sameKvTokens', use: 'kept' })
    expect(finding?.text).toContain('max_kv_tokens is 224133 for TP2, TP4 alike')
  })

  it('lose the points where more sequences are counted than run, by the fall of ITL or by the throughput', () => {
    const limit = 100
    const stuck = (point: DecodePoint): Partial<DecodePoint> => {
      if (point.contextTokens > 350 || point.sequences <= limit) return {}
      const itlMs = 9 + (0.05 + 6e-5 * 350) * limit - point.sequences / 100
      return { itlMs, tokensPerSecondPerGpu: (1000 * limit) / itlMs / 2 }
    }
    const rows = [['saturated', 'tp2 rows 6-7', 'dropped']]
    expect(found({ decode: decode(2, stuck) })).toEqual(rows)
    // Without throughput: from the highest ITL before the fall.
    const { tokensPerSecondPerGpu: _, ...bare } = { tokensPerSecondPerGpu: 0 }
    const falling = decode(2, (point) => {
      const itlMs = point.contextTokens === 350 ? { 80: 20, 120: 18, 160: 18.5 }[point.sequences] : undefined
      return { ...bare, ...(itlMs === undefined ? {} : { itlMs }) }
    }).map(({ tokensPerSecondPerGpu: __, ...point }) => point)
    expect(found({ decode: falling })).toEqual([['saturated', 'tp2 rows 5-7', 'dropped']])
  })

  it('that fall where they must rise are named with both rows', () => {
    const falling = decode(2, (point) =>
      point.contextTokens === 3000 && point.sequences === 80
        ? { itlMs: 1.5 * point.itlMs, tokensPerSecondPerGpu: 1550 }
        : {},
    )
    const findings = found({ decode: falling.map((point) => ({ ...point, tokensPerSecondPerGpu: 0 })) })
    expect(findings).toEqual([['notMonotone', 'tp2 rows 11-12', 'kept']])
  })
})

describe('runs', () => {
  it('beyond saturation are dropped with all that follow them: by rate, by remark, by TTFT', () => {
    const queue = openLoop((_, i) =>
      i >= 3 ? { achievedPerSecond: 52 - i, ttftMs: 2000, e2eMs: 2000 + 60 * (7 + i) } : {},
    )
    expect(found({ runs: queue })).toEqual([['saturated', 'stages rows 5-6', 'dropped']])
    expect(found({ runs: closedLoop((_, i) => (i === 4 ? { remark: 'queue_saturated' } : {})) })).toEqual([
      ['saturated', 'runs row 6', 'dropped'],
    ])
    const waiting = closedLoop((_, i) => (i === 3 ? { ttftMs: 2000 } : i === 4 ? { ttftMs: 4500 } : {}))
    expect(found({ runs: waiting })).toEqual([['saturated', 'runs rows 5-6', 'dropped']])
  })

  it('whose knee is the slot limit are told how many run', () => {
    const limited = openLoop((_, i) => {
      if (i < 3) return {}
      const itlMs = 124 / (60 * 0.05)
      return { achievedPerSecond: 50, ttftMs: 3000, itlMs, e2eMs: 3000 + 60 * itlMs }
    })
    const findings = lint({ ...noData, runs: limited })
    expect(findings.map(({ defect }) => defect)).toEqual(['saturated', 'slotLimit'])
    expect(findings[1]?.text).toContain('about 124 sequences run however many requests wait')
    expect(findings[1]?.text).toContain('max_num_seqs, probably 128')
  })

  it('whose client counts empty stream lines are corrected by the whole duration', () => {
    const halved = openLoop(({ itlMs = 0 }) => ({ itlMs: itlMs / 2 }))
    const [finding] = lint({ ...noData, runs: halved })
    expect(finding).toMatchObject({ defect: 'tokensMiscounted', use: 'corrected' })
    expect(finding?.text).toContain('half the truth')
    expect(without({ ...noData, runs: halved }, [finding ?? expect.fail()]).runs).toHaveLength(5)
  })

  it('on a site that adds a delay of its own are told how much', () => {
    const far = openLoop(({ ttftMs = 0, e2eMs = 0 }) => ({ ttftMs: ttftMs + 20, e2eMs: e2eMs + 20 }))
    const [finding] = lint({ ...noData, runs: far })
    expect(finding).toMatchObject({ defect: 'outsideEngine', use: 'kept' })
    expect(finding?.text).toContain('about 30 ms of TTFT are spent outside it')
  })

  it('that never settled are dropped', () => {
    const short = openLoop((_, i) => (i === 1 ? { durationSeconds: 2 } : {}))
    expect(found({ runs: short })).toEqual([['notStationary', 'stages row 3', 'dropped']])
  })

  it('that get faster under more load are named', () => {
    const runs = closedLoop((_, i) => (i === 2 ? { itlMs: 20 } : {}))
    expect(found({ runs })).toEqual([['notMonotone', 'runs rows 4-5', 'kept']])
  })
})

describe('values that cannot be', () => {
  it('are found in other units, by what no engine does and by what does not fit together', () => {
    expect(found({ runs: closedLoop(({ itlMs = 0 }) => ({ itlMs: itlMs / 1000 })) })).toEqual([
      ['units', 'runs rows 2-6', 'dropped'],
    ])
    expect(found({ runs: closedLoop((_, i) => (i === 1 ? { ttftMs: 0.09 } : {})) })).toEqual([
      ['units', 'runs row 3', 'dropped'],
    ])
    expect(found({ runs: closedLoop(({ itlMs = 0 }) => ({ itlMs: itlMs * 1000 })) })[0]).toEqual([
      'units',
      'runs rows 2-6',
      'dropped',
    ])
    expect(
      found({ runs: openLoop(({ ttftMs = 0 }, i) => (i === 2 ? { ttftMs: ttftMs / 20 } : {})) }),
    ).toEqual([['units', 'stages row 4', 'dropped']])
    expect(
      found({
        prefill: prefill(2, ({ ttftMs }, i) =>
          i === 0 ? { ttftMs: ttftMs / 1000, tokensPerSecondPerGpu: 0 } : {},
        ),
      }),
    ).toEqual([['units', 'tp2 row 2', 'dropped']])
  })

  it('give way to the median where a mean is corrupt, and are dropped where there is none', () => {
    const corrupt = openLoop((_, i) => (i === 2 ? { ttftMs: -1e8, ttftMedianMs: 26 } : {}))
    expect(found({ runs: corrupt })).toEqual([['impossible', 'stages row 4', 'corrected']])
    expect(found({ runs: openLoop((_, i) => (i === 2 ? { ttftMs: -1e8 } : {})) })).toEqual([
      ['impossible', 'stages row 4', 'dropped'],
    ])
    expect(found({ runs: openLoop((_, i) => (i === 2 ? { e2eMs: 5 } : {})) })[0]).toEqual([
      'impossible',
      'stages row 4',
      'dropped',
    ])
  })

  it('are found where rows and columns, or prompt and output lengths, are swapped', () => {
    const shapes = [...closedLoop(undefined, 8192, 1024), ...closedLoop(undefined, 1024, 8192)]
    expect(found({ runs: shapes })).toEqual([])
    const swapped = shapes.map((run) => ({
      ...run,
      promptTokens: run.outputTokens,
      outputTokens: run.promptTokens,
    }))
    expect(found({ runs: swapped })).toEqual([['swapped', 'runs rows 2-6', 'dropped']])
    const cells = (prompt: number, output: number): Run => ({
      origin: { file: 'cells', row: prompt },
      setup,
      load: { kind: 'rate', requestsPerSecond: 10 / output, arrivals: 'poisson' },
      promptTokens: fixedLength(prompt),
      outputTokens: fixedLength(output),
      e2eMs: 20 + 0.1 * prompt + 10 * output,
    })
    const grid = [128, 256, 512].flatMap((one) => [128, 256, 512].map((other) => cells(one, other)))
    expect(found({ runs: grid })).toEqual([])
    const turned = grid.map((run) => ({
      ...run,
      promptTokens: run.outputTokens,
      outputTokens: run.promptTokens,
    }))
    expect(found({ runs: turned }).map(([defect]) => defect)).toEqual(['swapped'])
  })

  it('are found where a key appears twice, and counted once', () => {
    const runs = closedLoop()
    const again = runs.map((run) => ({ ...run, origin: { ...run.origin, file: 'again' } }))
    expect(found({ runs: [...runs, ...again.slice(0, 2)] })).toEqual([
      ['duplicate', 'again rows 2-3', 'dropped'],
    ])
    const other = { ...again[0], itlMs: 30 } as Run
    const findings = lint({ ...noData, runs: [...runs, other] })
    expect(findings[0]?.text).toContain('with other results')
    expect(without({ ...noData, runs: [...runs, other] }, findings).runs).toEqual(runs)
  })

  it('are found among stated coefficients', () => {
    const law = { a: 6, b: -0.1, c: 0, ap: 6, bp: 0.02, d2: 0, g: 0, h: 0 }
    expect(found({ laws: [{ origin: { file: 'p', row: 1 }, setup, law }] })).toEqual([
      ['impossible', 'p row 1', 'dropped'],
    ])
  })
})
