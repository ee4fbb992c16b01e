// The worker thread of `backtest`: runs one simulation after the other and says how far it is.
import { parentPort } from 'node:worker_threads'
import { backtest } from '../backtest/backtest.ts'
import { siteBound } from '../backtest/bound/siteBound.ts'
import { controllers } from '../backtest/controllers.ts'
import { siteOf } from '../backtest/site.ts'
import { TraceError } from '../backtest/traffic/traceError.ts'
import { type Watched, watched } from '../backtest/watched.ts'
import { createTools } from '../core/tools.ts'
import { loadEngines } from '../solvers/engines.ts'
import type { BacktestJob, JobMessage } from './backtestJobs.ts'
import { openTraffic } from './traceFiles.ts'

if (parentPort === null) throw new Error('this module runs as a worker thread')
const port = parentPort
const engines = await loadEngines()

/** Simulated seconds between two messages. */
const messageSeconds = 1800

port.on('message', ({ traffic: description, controller, bound, ...settings }: BacktestJob) => {
  const say = (message: JobMessage): void => port.postMessage(message)
  try {
    const traffic = openTraffic(description)
    const tools = createTools(engines)
    const make = controllers[controller]
    if (make === undefined) throw new RangeError(`no controller is called "${controller}"`)
    const { tickSeconds, seed } = settings
    let watching: Watched | undefined
    const known = () => siteBound(siteOf(settings.policies, settings), traffic, settings, tools)
    const going = backtest({
      ...settings,
      traffic,
      tools,
      controllerOf: (site) => {
        watching = watched(make({ site, tools, tickSeconds, traffic, seed }))
        return watching.controller
      },
    })
    let said = 0
    for (;;) {
      const next = going.next()
      if (next.done === true) {
        const observation = watching?.busiest()
        if (observation !== undefined) say({ kind: 'busiest', observation })
        say({ kind: 'done', result: { ...next.value, ...(bound === 'asked' ? { bound: known() } : {}) } })
        return
      }
      if (next.value - said < messageSeconds) continue
      said = next.value
      say({ kind: 'at', seconds: said })
    }
  } catch (error) {
    const known = error instanceof TraceError
    say({
      kind: 'failed',
      why: error instanceof Error ? (known ? error.message : (error.stack ?? error.message)) : String(error),
      known,
    })
  }
})
