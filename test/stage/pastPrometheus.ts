// A real Prometheus that remembers hours of a simulated fleet which took seconds to play: its pods' metrics are written
// with their virtual times and made into blocks by promtool, as a backfill would.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { exposition } from '../../src/simulation/exposition.ts'
import { Fleet, type FleetSettings } from '../../src/simulation/fleet.ts'
import type { Request } from '../../src/simulation/request.ts'
import { Score } from '../../src/simulation/score.ts'
import { World } from '../../src/simulation/world.ts'
import { type RealPrometheus, startPrometheus } from './prometheus.ts'

export interface Past {
  readonly settings: FleetSettings
  readonly arrivals: Iterator<Request>
  /** Unix time of virtual second 0, and how long it was. */
  readonly epochSeconds: number
  readonly seconds: number
  /** At virtual seconds: replicas of the variant (by its workload's name) from then on. */
  readonly scale?: readonly {
    readonly atSeconds: number
    readonly variant: string
    readonly replicas: number
  }[]
  /** Virtual seconds in which nothing was scraped. */
  readonly unscraped?: readonly { readonly fromSeconds: number; readonly untilSeconds: number }[]
}

const scrapeSeconds = 15

export async function startPastPrometheus(past: Past): Promise<RealPrometheus> {
  return startPrometheus({ global: { scrape_interval: '1m' }, scrape_configs: [] }, async (directory) => {
    const file = join(directory, 'past.om')
    await written(past, file)
    const data = join(directory, 'data')
    await promisify(execFile)('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', file, data])
    await rm(file)
  })
}

async function written({ scale = [], unscraped = [], ...past }: Past, file: string): Promise<void> {
  const { settings, epochSeconds } = past
  const world = new World(new Fleet(settings, new Score(settings.classes)), past.arrivals)
  const out = createWriteStream(file)
  for (let at = scrapeSeconds; at <= past.seconds; at += scrapeSeconds) {
    for (const step of scale)
      if (step.atSeconds > at - scrapeSeconds && step.atSeconds <= at)
        world.fleet.scale(step.variant, step.replicas)
    world.advance(at)
    if (unscraped.some(({ fromSeconds, untilSeconds }) => fromSeconds <= at && at < untilSeconds)) continue
    if (!out.write(scraped(world.fleet, settings, epochSeconds, at))) await once(out, 'drain')
  }
  out.end('# EOF\n')
  await once(out, 'finish')
}

function scraped(
  fleet: Fleet,
  { namespace, model }: FleetSettings,
  epochSeconds: number,
  at: number,
): string {
  const time = epochSeconds + at
  return fleet
    .pods()
    .map((pod) => {
      const own = `namespace="${namespace}",pod="${pod.name}",job="vllm"`
      const text = exposition(pod, { flavour: 'v1', model, epochSeconds })
      const lines = (text ?? '').split('\n').flatMap((line) => {
        const [, name, labels = '', value] = /^([\w:]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
        return name === undefined
          ? []
          : [`${name}{${labels === '' ? '' : `${labels},`}${own}} ${value} ${time}`]
      })
      return [...lines, `up{${own}} ${text === undefined ? 0 : 1} ${time}`, ''].join('\n')
    })
    .join('')
}
