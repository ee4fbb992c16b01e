// The HTTP side of the server: metrics, probes, and what was decided, read-only. It asks its views, which answer
// from memory; it changes nothing and causes no query.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface HttpViews {
  /** What people get at `/`. */
  readonly page: { readonly text: string; readonly contentSecurityPolicy: string }
  readonly metrics: () => Promise<Body>
  /** Whether GetMetricSpec can be answered; a sentence where not. */
  readonly ready: () => Readiness
  readonly plan: () => PlanView
  readonly policies: () => object
  /** A view threw: for the log, as the client is not told why. */
  readonly failed: (error: Error) => void
}

export type PlanView =
  /** The last decision as a JSON document. */
  | { readonly kind: 'plan'; readonly document: object }
  /** Before the first one, or while another server's is told: of that, what there is. */
  | { readonly kind: 'none'; readonly why: string; readonly followed?: object }

export interface Body {
  readonly contentType: string
  readonly text: string
}

export type Readiness = { readonly kind: 'ready' } | { readonly kind: 'notReady'; readonly why: string }

export interface HttpServer {
  readonly port: number
  /** Answers what is under way, then closes. */
  readonly close: () => Promise<void>
}

interface HttpAddress {
  /** `0.0.0.0`, `::`, or one address of this host. */
  readonly address: string
  /** 0: any free port. */
  readonly port: number
}

/** Browsers open connections ahead and ask nothing over them: to Node those are not idle, and would hold up the end. */
const drainMilliseconds = 2000

/** Rejects where it cannot listen. */
export function startHttpServer({ address, port }: HttpAddress, views: HttpViews): Promise<HttpServer> {
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 10_000 }, (request, response) => {
    respond(request, views).then(
      (reply) => send(request, response, reply),
      (error: unknown) => {
        views.failed(error instanceof Error ? error : new Error(String(error)))
        send(request, response, failure(500, 'the server could not answer: see its log'))
      },
    )
  })
  return new Promise((resolve, reject) => {
    const refuse = (error: Error) =>
      reject(new Error(`cannot listen on ${address}:${port}: ${error.message}`, { cause: error }))
    server.once('error', refuse)
    server.listen(port, address, () => {
      server.off('error', refuse)
      resolve({
        port: portOf(server.address()),
        close: () =>
          new Promise((closed) => {
            const overdue = setTimeout(() => server.closeAllConnections(), drainMilliseconds)
            server.close(() => {
              clearTimeout(overdue)
              closed()
            })
            server.closeIdleConnections()
          }),
      })
    })
  })
}

interface Reply {
  readonly status: number
  readonly body: Body
  readonly headers?: Readonly<Record<string, string>>
}

type Page = (views: HttpViews) => Reply | Promise<Reply>

const pages: ReadonlyMap<string, Page> = new Map<string, Page>([
  ['/', peoplesPage],
  ['/metrics', async (views) => ({ status: 200, body: await views.metrics() })],
  ['/healthz', () => plainText(200, 'ok\n')],
  ['/readyz', readyPage],
  ['/api/v1/plan', planPage],
  ['/api/v1/policies', (views) => json(200, views.policies())],
])

async function respond(request: IncomingMessage, views: HttpViews): Promise<Reply> {
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return { ...failure(405, 'only GET and HEAD are allowed'), headers: { allow: 'GET, HEAD' } }
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/'
  const page = pages.get(path)
  return page === undefined
    ? failure(404, `no such page: there are ${[...pages.keys()].join(', ')}`)
    : page(views)
}

function peoplesPage({ page }: HttpViews): Reply {
  return {
    status: 200,
    body: { contentType: 'text/html; charset=utf-8', text: page.text },
    headers: {
      'content-security-policy': page.contentSecurityPolicy,
      'referrer-policy': 'no-referrer',
    },
  }
}

function readyPage(views: HttpViews): Reply {
  const readiness = views.ready()
  return readiness.kind === 'ready'
    ? plainText(200, 'ready\n')
    : plainText(503, `not ready: ${readiness.why}\n`)
}

function planPage(views: HttpViews): Reply {
  const plan = views.plan()
  if (plan.kind === 'plan') return json(200, plan.document)
  const { why: error, followed } = plan
  return json(503, followed === undefined ? { error } : { error, followed })
}

function send(request: IncomingMessage, response: ServerResponse, { status, body, headers }: Reply): void {
  response.writeHead(status, {
    'content-type': body.contentType,
    'content-length': Buffer.byteLength(body.text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  })
  response.end(request.method === 'HEAD' ? undefined : body.text)
}

function plainText(status: number, text: string): Reply {
  return { status, body: { contentType: 'text/plain; charset=utf-8', text } }
}

function json(status: number, value: object): Reply {
  return {
    status,
    body: { contentType: 'application/json; charset=utf-8', text: `${JSON.stringify(value, null, 2)}\n` },
  }
}

function failure(status: number, error: string): Reply {
  return json(status, { error })
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('an HTTP server listens on a TCP port')
  return address.port
}
