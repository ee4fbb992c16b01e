// The way to a Prometheus that can be told to take its time: while it does, what was days ago is not answered.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { seasonGridSeconds } from '../../src/core/forecast/history.ts'

export interface SlowPast {
  readonly url: string
  /** Returns what lets those go on that wait. */
  readonly holdDays: () => () => void
  readonly close: () => Promise<void>
}

export async function startSlowPast(prometheusUrl: string): Promise<SlowPast> {
  let days = Promise.resolve()
  const server = createServer((request, response) => {
    pass(request, response).catch(() => response.destroy())
  })

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += chunk
    if (Number(new URLSearchParams(body).get('step')) >= seasonGridSeconds) await days
    const answer = await fetch(`${prometheusUrl}${request.url ?? ''}`, {
      method: request.method ?? 'POST',
      headers: { 'content-type': request.headers['content-type'] ?? '' },
      ...(body === '' ? {} : { body }),
    })
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' })
    response.end(await answer.text())
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    holdDays: () => {
      const { promise, resolve } = Promise.withResolvers<void>()
      days = promise
      return resolve
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
