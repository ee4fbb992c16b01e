// A Kubernetes API over loopback HTTP, small enough to be read: lists in pages, watches that stream, discovery,
// scale subresources, and the ways in which the real one fails.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { KubeConfig } from '@kubernetes/client-node'
import type { ObjectMeta } from '../../src/kubernetes/objects.ts'

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
  readonly put: (kind: Kind, object: KubernetesObject) => void
  readonly remove: (kind: Kind, object: KubernetesObject) => void
  /** Bodies by path: scale subresources, and whatever else a test wants answered. */
  readonly bodies: Map<string, unknown>
  readonly behave: (behaviour: Behaviour) => void
  /** Ends all open watches with this event, or, without one, by cutting the connection in the middle of a line. */
  readonly breakWatches: (event?: unknown) => void
  /** Forgets all history: watches from an older version get 410 Gone. */
  readonly compact: () => void
  /** Paths with query, in the order of arrival. */
  readonly requests: readonly string[]
  /** What was written, in the order of arrival. A POST or PUT of a Lease is kept, and refused where it is outdated. */
  readonly written: readonly Write[]
  readonly openWatches: () => number
  readonly close: () => Promise<void>
}

interface KubernetesObject {
  readonly metadata?: ObjectMeta
}

/** Lists by plural, with the kind of the list. */
const listKinds = {
  pods: 'PodList',
  nodes: 'NodeList',
  scaledobjects: 'ScaledObjectList',
  resourceslices: 'ResourceSliceList',
  resourceclaims: 'ResourceClaimList',
} as const
export interface Write {
  readonly method: string
  readonly path: string
  readonly body: KubernetesObject
}

type Kind = keyof typeof listKinds
type Stored = KubernetesObject & { metadata: ObjectMeta & { resourceVersion: string } }

function isKind(plural: string | undefined): plural is Kind {
  return plural !== undefined && Object.hasOwn(listKinds, plural)
}

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
  const stores: Record<Kind, Map<string, Stored>> = {
    pods: new Map(),
    nodes: new Map(),
    scaledobjects: new Map(),
    resourceslices: new Map(),
    resourceclaims: new Map(),
  }
  const bodies = new Map<string, unknown>()
  const requests: string[] = []
  const written: Write[] = []
  const watches = new Set<{ readonly kind: Kind; readonly response: ServerResponse }>()
  let events: readonly Event[] = []
  let version = 100
  let oldest = 0
  let behaviour: Behaviour = { kind: 'normal' }

  function record(kind: Kind, type: string, object: KubernetesObject): Stored {
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
    if (request.method !== 'GET') {
      void write(request, url.pathname, response)
      return
    }
    const list = url.pathname.split('/').at(-1)
    if (isKind(list)) {
      if (url.searchParams.get('watch') === 'true') watch(list, url, response)
      else page(list, url, response)
      return
    }
    const body = bodies.has(url.pathname) ? bodies.get(url.pathname) : discovery[url.pathname]
    if (body === undefined) reply(response, 404, { kind: 'Status', code: 404 })
    else reply(response, 200, body)
  }

  async function write(request: IncomingMessage, path: string, response: ServerResponse): Promise<void> {
    let text = ''
    for await (const chunk of request.setEncoding('utf8')) text += chunk
    const body = JSON.parse(text) as KubernetesObject & { readonly kind: string }
    const method = request.method ?? ''
    if (body.kind === 'Lease') {
      const key = method === 'PUT' ? path : `${path}/${body.metadata?.name}`
      const known = bodies.get(key) as KubernetesObject | undefined
      if (known?.metadata?.resourceVersion !== body.metadata?.resourceVersion) {
        reply(response, 409, { kind: 'Status', code: 409 })
        return
      }
      version += 1
      bodies.set(key, { ...body, metadata: { ...body.metadata, resourceVersion: String(version) } })
    }
    written.push({ method, path, body })
    reply(response, method === 'POST' ? 201 : 200, body)
  }

  function page(kind: Kind, url: URL, response: ServerResponse): void {
    const namespace = /\/namespaces\/([^/]+)\//.exec(url.pathname)?.[1]
    const from = Number(url.searchParams.get('continue') ?? 0)
    const until = from + Number(url.searchParams.get('limit') ?? 500)
    const all = [...stores[kind].values()].filter((object) =>
      namespace === undefined ? true : object.metadata.namespace === namespace,
    )
    const rest = until < all.length ? String(until) : ''
    const metadata = { resourceVersion: String(version), continue: rest }
    const items = all.slice(from, until)
    reply(response, 200, { kind: listKinds[kind], metadata, items })
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
    written,
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

function keyOf(object: KubernetesObject): string {
  return `${object.metadata?.namespace ?? ''}/${object.metadata?.name ?? ''}`
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
