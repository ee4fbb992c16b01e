// What a scrape of a simulated pod's /metrics counts, without its text.
import type { Pod } from '../simulation/pod.ts'
import { type Scrape, Tally } from './tally.ts'

/** Of a pod whose engine is up. */
export function scrapeOf(pod: Pod, at: number): Scrape {
  const { metrics, replica } = pod.engine as NonNullable<Pod['engine']>
  const tally = new Tally()
  const { stop, length, error } = metrics.finishedBy
  tally.add('completions', stop + length + error)
  tally.add('generationTokens', metrics.generationTokens)
  tally.add('preemptions', metrics.preemptions)
  tally.add('promptTokens', metrics.promptTokens)
  tally.add('cachedTokens', metrics.cachedPromptTokens)
  tally.set('promptTokens', metrics.requestPromptTokens.counts, metrics.requestPromptTokens.sum)
  tally.set('outputTokens', metrics.requestGenerationTokens.counts, metrics.requestGenerationTokens.sum)
  tally.set('ttft', metrics.timeToFirstToken.counts, metrics.timeToFirstToken.sum)
  tally.set('itl', metrics.interTokenLatency.counts, metrics.interTokenLatency.sum)
  tally.set('tpot', metrics.timePerOutputToken.counts, metrics.timePerOutputToken.sum)
  const { running, waiting, kvUsage } = replica
  return { at, replicas: 1, running, waiting, kvUsage, counts: tally.counts }
}
