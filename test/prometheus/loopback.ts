// A server on the loopback interface that answers as a test tells it, and remembers what it was asked.
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Asked {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly form: URLSearchParams
}

export type Reply = (response: ServerResponse, asked: Asked) => void

export interface Loopback {
  readonly url: string
  readonly asked: readonly Asked[]
  readonly close: () => Promise<void>
}

/** The first request gets the first reply, and so on; the last one repeats. */
export async function loopback(...replies: readonly Reply[]): Promise<Loopback> {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString()
    })
    request.on('end', () => {
      const one = { path: request.url ?? '', headers: request.headers, form: new URLSearchParams(body) }
      const reply = replies[Math.min(asked.length, replies.length - 1)]
      asked.push(one)
      reply?.(response, one)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export function json(body: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Reply {
  return (response) => {
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  }
}

export function vector(...values: readonly (readonly [Readonly<Record<string, string>>, string])[]): unknown {
  const result = values.map(([metric, value]) => ({ metric, value: [1_760_000_000.5, value] }))
  return { status: 'success', data: { resultType: 'vector', result } }
}

export function refused(error: string, errorType = 'bad_data'): unknown {
  return { status: 'error', errorType, error }
}
