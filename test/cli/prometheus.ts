// A Prometheus that knows no series, hangs or fails, as told. What it was asked is kept.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Mood = 'empty' | 'hangs' | 'fails'

export interface StubPrometheus {
  readonly url: string
  readonly asked: () => number
  mood: Mood
  readonly close: () => void
}

const empty = JSON.stringify({ status: 'success', data: { resultType: 'vector', result: [] } })

export async function stubPrometheus(mood: Mood): Promise<StubPrometheus> {
  let asked = 0
  const server: Server = createServer((_, response) => {
    asked += 1
    if (stub.mood === 'hangs') return
    response.writeHead(stub.mood === 'empty' ? 200 : 503, { 'content-type': 'application/json' })
    response.end(
      stub.mood === 'empty' ? empty : '{"status":"error","errorType":"unavailable","error":"down"}',
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const stub: StubPrometheus = {
    url: `http://127.0.0.1:${port}`,
    asked: () => asked,
    mood,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
  return stub
}
