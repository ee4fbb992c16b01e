// The thread of `serve` that reads back the past: first what the first decision needs most, then all of it.
import { parentPort, workerData } from 'node:worker_threads'
import { decide } from '../core/decide.ts'
import { createTools } from '../core/tools.ts'
import { systemClock } from '../loop/clock.ts'
import { answerPast } from '../loop/pastReader.ts'
import { type PastPorts, readLatest, readPast } from '../loop/readPast.ts'
import type { QueryReport } from '../prometheus/observer.ts'
import { loadEngines } from '../solvers/engines.ts'
import { breather } from './breather.ts'
import type { Values } from './command.ts'
import { type ClusterNow, type observingFlags, openPastEyes } from './observing.ts'

export interface PastSettings {
  readonly values: Values<typeof observingFlags>
  readonly intervalSeconds: number
}

export type PastAside =
  | { readonly kind: 'queried'; readonly report: QueryReport }
  | { readonly kind: 'progress'; readonly text: string }

/** Nobody waits for it any more: decisions are taken meanwhile. */
const limitSeconds = 600

if (parentPort === null) throw new Error('this module runs as a worker thread')
const { values, intervalSeconds } = workerData as PastSettings
const tools = createTools(await loadEngines())

answerPast<ClusterNow | undefined, PastAside>(parentPort, async ({ policies, previous, facts }, tell) => {
  const aside = (one: PastAside) => tell({ kind: 'aside', aside: one })
  const eyes = openPastEyes(values, (report) => aside({ kind: 'queried', report }))
  const ports: PastPorts = {
    clock: systemClock,
    observe: (...asked) => eyes.observePast(facts, ...asked),
    lastDecided: eyes.lastDecided,
    decide: async (set, state, observation) => decide(set, state, observation, tools),
    pause: breather(),
    progress: (text) => aside({ kind: 'progress', text }),
  }
  const options = { intervalSeconds, limitSeconds }
  const { signal } = new AbortController()
  const latest = await readLatest(policies, previous, ports, options, signal)
  if (latest.lost.length === 0) tell({ kind: 'latest', state: latest.state })
  tell({ kind: 'whole', caught: await readPast(policies, previous, ports, options, signal) })
})
