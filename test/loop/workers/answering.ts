// A worker as production runs it, with a decision that does what the observation's first warning says.
import { parentPort } from 'node:worker_threads'
import { answerDecisions } from '../../../src/loop/decider.ts'
import { decisionOf } from '../values.ts'

if (parentPort !== null)
  answerDecisions(parentPort, (policies, state, { at, warnings: [order] }) => {
    const hoard: number[][] = []
    if (order === 'hang') for (;;);
    if (order === 'exit') process.exit(3)
    if (order === 'throw') throw new Error('an invariant is broken')
    while (order === 'hoard') hoard.push(Array.from({ length: 100_000 }, (_, index) => index + 0.5))
    return { decision: decisionOf(policies, at, 2), state }
  })
