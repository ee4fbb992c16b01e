// A Kubernetes API over loopback HTTP, small enough to be read: lists in pages, watches that stream, discovery,
// scale subresources, and the ways in which the real one fails.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { KubeConfig } from '@kubernetes/client-node'
import type { Node, Pod } from '../../src/kubernetes/objects.ts'

export type Behaviour =
  | { readonly kind: 'normal' }
  /** Accepts and says nothing, ever. */
  | { readonly kind: 'hang' }
  /** Closes every connection. */
  | { readonly kind: 'down' }
  /** Answers 200 with something else. */
  | { readonly kind: 'body'; readonly body: unknown; readonly paths: RegExp }
  | { readonly kind: 'refuse'; readonly status: number; readonly paths: RegExp }

export interface FakeApi {
  readonly config: KubeConfig
  readonly put: (kind: Kind, object: Pod | Node) => void
  readonly remove: (kind: Kind, object: Pod | Node) => void
  /** Bodies by path: scale subresources, and whatever else a test wants answered. */
  readonly bodies: Map<string, unknown>
  readonly behave: (behaviour: Behaviour) => void
  /** Ends all open watches with this event, or, without one, by cutting the connection in the middle of a line. */
  readonly breakWatches: (event?: unknown) => void
  /** Forgets all history: watches from an older version get 410 Gone. */
  readonly compact: () => void
  /** Paths with query, in the order of arrival. */
  readonly requests: readonly string[]
  readonly openWatches: () => number
  readonly close: () => Promise<void>
}

type Kind = 'pods' | 'nodes'
type Stored = (Pod | Node) & { metadata: { resourceVersion: string } }

interface Event {
  readonly kind: Kind
  readonly version: number
  readonly line: string
}

const discovery: Readonly<Record<string, unknown>> = {
  '/apis/apps/v1': {
    kind: 'APIResourceList',
    resources: [
      { name: 'deployments', kind: 'Deployment' },
      { name: 'deployments/scale', kind: 'Scale' },
      { name: 'statefulsets', kind: 'StatefulSet' },
    ],
  },
  '/apis/example.com/v1': { kind: 'APIResourceList', resources: [{ name: 'engines', kind: 'Engine' }] },
}

export async function startFakeApi(): Promise<FakeApi> {
  const stores = { pods: new Map<string, Stored>(), nodes: new Map<string, Stored>() }
  const bodies = new Map<string, unknown>()
  const requests: string[] = []
  const watches = new Set<{ readonly kind: Kind; readonly response: ServerResponse }>()
  let events: readonly Event[] = []
  let version = 100
  let oldest = 0
  let behaviour: Behaviour = { kind: 'normal' }

  function record(kind: Kind, type: string, object: Pod | Node): Stored {
    version += 1
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } }
    const line = `${JSON.stringify({ type, object: stored })}\n`
    events = [...events, { kind, version, line }]
    for (const watch of watches) if (watch.kind === kind) watch.response.write(line)
    return stored
  }

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '', 'http://fake')
    requests.push(`${url.pathname}${url.search}`)
    if (behaviour.kind === 'hang') return
    if (behaviour.kind === 'down') {
      request.socket.destroy()
      return
    }
    if (behaviour.kind === 'refuse' && behaviour.paths.test(`${url.pathname}${url.search}`)) {
      reply(response, behaviour.status, { kind: 'Status', code: behaviour.status })
      return
    }
    if (behaviour.kind === 'body' && behaviour.paths.test(url.search)) {
      reply(response, 200, behaviour.body)
      return
    }
    const list = /\/(pods|nodes)$/.exec(url.pathname)?.[1]
    if (list === 'pods' || list === 'nodes') {
      if (url.searchParams.get('watch') === 'true') watch(list, url, response)
      else page(list, url, response)
      return
    }
    const body = bodies.has(url.pathname) ? bodies.get(url.pathname) : discovery[url.pathname]
    if (body === undefined) reply(response, 404, { kind: 'Status', code: 404 })
    else reply(response, 200, body)
  }

  function page(kind: Kind, url: URL, response: ServerResponse): void {
    const namespace = /\/namespaces\/([^/]+)\//.exec(url.pathname)?.[1]
    const from = Number(url.searchParams.get('continue') ?? 0)
    const until = from + Number(url.searchParams.get('limit') ?? 500)
    const all = [...stores[kind].values()].filter((object) =>
      namespace === undefined ? true : object.metadata['namespace'] === namespace,
    )
    const rest = until < all.length ? String(until) : ''
    const metadata = { resourceVersion: String(version), continue: rest }
    const items = all.slice(from, until)
    reply(response, 200, { kind: kind === 'pods' ? 'PodList' : 'NodeList', metadata, items })
  }

  function watch(kind: Kind, url: URL, response: ServerResponse): void {
    const since = Number(url.searchParams.get('resourceVersion'))
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    if (since < oldest) {
      response.end(`${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410 } })}\n`)
      return
    }
    for (const event of events) if (event.kind === kind && event.version > since) response.write(event.line)
    const open = { kind, response }
    watches.add(open)
    const seconds = Number(url.searchParams.get('timeoutSeconds'))
    const timer = setTimeout(() => {
      response.end(
        `${JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: String(version) } } })}\n`,
      )
    }, seconds * 1000)
    response.on('close', () => {
      clearTimeout(timer)
      watches.delete(open)
    })
  }

  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const config = new KubeConfig()
  config.loadFromClusterAndUser(
    { name: 'fake', server: `http://127.0.0.1:${port}`, skipTLSVerify: true },
    { name: 'tester', token: 'not-a-secret' },
  )
  return {
    config,
    bodies,
    requests,
    put: (kind, object) => {
      const key = keyOf(object)
      stores[kind].set(key, record(kind, stores[kind].has(key) ? 'MODIFIED' : 'ADDED', object))
    },
    remove: (kind, object) => {
      stores[kind].delete(keyOf(object))
      record(kind, 'DELETED', object)
    },
    behave: (next) => {
      behaviour = next
      if (next.kind === 'down') server.closeAllConnections()
    },
    breakWatches: (event) => {
      for (const open of watches) {
        const { response } = open
        watches.delete(open)
        if (event !== undefined) response.end(`${JSON.stringify(event)}\n`)
        else response.write('{"type":"MODIF', () => response.destroy())
      }
    },
    compact: () => {
      version += 1
      oldest = version
      events = []
    },
    openWatches: () => watches.size,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function keyOf(object: Pod | Node): string {
  return `${object.metadata?.namespace ?? ''}/${object.metadata?.name ?? ''}`
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
