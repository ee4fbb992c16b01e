// A reader for the tests of its thread: does what its facts say.
import { parentPort, workerData } from 'node:worker_threads'
import { emptyState, type State } from '../../../src/core/state.ts'
import { answerPast } from '../../../src/loop/pastReader.ts'

if (parentPort === null) throw new Error('this module runs as a worker thread')

answerPast<string, string>(parentPort, async ({ previous, facts }, tell) => {
  const stateOf = (name: string): State => ({
    ...emptyState,
    policies: { [name]: { seen: [], since: previous } },
  })
  if (facts === 'crashes') throw new Error('no such past')
  if (facts === 'hangs') return
  tell({ kind: 'aside', aside: String(workerData) })
  tell({ kind: 'latest', state: stateOf('latest') })
  tell({ kind: 'whole', caught: { state: stateOf('whole'), lost: [] } })
})
