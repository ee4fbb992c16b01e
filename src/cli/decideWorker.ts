// The worker thread of `serve`: loads the solvers once, then answers each question with `decide`.
import { parentPort } from 'node:worker_threads'
import { decide } from '../core/decide.ts'
import { createTools } from '../core/tools.ts'
import { answerDecisions } from '../loop/decider.ts'
import { loadEngines } from '../solvers/engines.ts'

if (parentPort === null) throw new Error('this module runs as a worker thread')
const tools = createTools(await loadEngines())
answerDecisions(parentPort, (policies, state, observation) => decide(policies, state, observation, tools))
