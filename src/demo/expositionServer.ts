// The simulated fleets' metrics over HTTP on loopback, for a real Prometheus: one port, a path per pod, and
// the list of targets in Prometheus' http_sd format with the labels that target relabelling gives in a cluster.
import { createServer, type ServerResponse } from 'node:http'
import type { GatewayKind } from '../core/policy.ts'
import { exposition, type VllmFlavour } from '../simulation/exposition.ts'
import type { Fleet } from '../simulation/fleet.ts'
import { gatewayMetrics } from '../simulation/gatewayText.ts'
import { kubeStateMetrics } from '../simulation/world.ts'

interface ExpositionServerOptions {
  readonly fleets: readonly Fleet[]
  readonly flavour: VllmFlavour
  readonly gateway: GatewayKind
  /** Unix time of virtual second 0. */
  readonly epochSeconds: number
  /** Brings the fleets to the present; called before each answer. */
  readonly advance: () => void
  /** 0: any free port. */
  readonly port: number
}

export interface ExpositionServer {
  readonly port: number
  /** For `http_sd_configs`. */
  readonly targetsUrl: string
  readonly close: () => Promise<void>
}

/** Rejects where the port is taken. */
export async function startExpositionServer(options: ExpositionServerOptions): Promise<ExpositionServer> {
  let port = options.port
  const server = createServer((request, response) => {
    options.advance()
    answer(options, port, request.url ?? '/', response)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (typeof address === 'object' && address !== null) port = address.port
  return {
    port,
    targetsUrl: `http://127.0.0.1:${port}/targets`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function answer(options: ExpositionServerOptions, port: number, url: string, response: ServerResponse): void {
  const [, kind, namespace, name] = url.split('/').map(decodeURIComponent)
  if (kind === 'targets') {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(options.fleets.flatMap((fleet) => targetsOf(fleet, port))))
    return
  }
  const fleets = options.fleets.filter(({ settings }) => settings.namespace === namespace)
  const text = fleets.map((fleet) => textOf(options, fleet, kind, name)).find((found) => found !== undefined)
  switch (text) {
    case undefined:
      response.writeHead(404).end('no such pod\n')
      return
    case 'starting':
      response.writeHead(503).end('the engine is starting\n')
      return
    default:
      response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8')
      response.end(text)
  }
}

function textOf(
  { flavour, gateway, epochSeconds }: ExpositionServerOptions,
  fleet: Fleet,
  kind: string | undefined,
  name: string | undefined,
): string | 'starting' | undefined {
  const { model } = fleet.settings
  if (kind === 'kube-state-metrics') return name === model ? kubeStateMetrics(fleet) : undefined
  if (kind === 'gateway') return name === model ? gatewayMetrics(fleet, gateway) : undefined
  const pod = kind === 'pods' ? fleet.pods().find((candidate) => candidate.name === name) : undefined
  if (pod === undefined) return undefined
  return exposition(pod, { flavour, model, epochSeconds }) ?? 'starting'
}

interface ScrapeTarget {
  readonly targets: readonly string[]
  readonly labels: Readonly<Record<string, string>>
}

/** Pods that start are listed too: their scrape fails, as it does in a cluster. */
function targetsOf(fleet: Fleet, port: number): ScrapeTarget[] {
  const { namespace, model } = fleet.settings
  const target = (kind: string, name: string, labels: Readonly<Record<string, string>>): ScrapeTarget => ({
    targets: [`127.0.0.1:${port}`],
    labels: {
      __metrics_path__: `/${kind}/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`,
      instance: name,
      ...labels,
    },
  })
  return [
    ...fleet.pods().map(({ name, variant }) =>
      target('pods', name, {
        job: `${namespace}/vllm`,
        namespace,
        pod: name,
        llm_d_ai_variant: variant.name,
      }),
    ),
    target('kube-state-metrics', model, { job: 'kube-state-metrics' }),
    target('gateway', model, { job: 'gateway', namespace, pod: `${model.replaceAll('/', '-')}-gateway-0` }),
  ]
}
