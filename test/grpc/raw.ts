// gRPC by hand over HTTP/2, for what a well-behaved client cannot be made to do.
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type Settings } from 'node:http2'

export interface RawCall {
  readonly stream: ClientHttp2Stream
  /** grpc-status as a number in text; undefined where the stream was cut without one. */
  readonly status: Promise<string | undefined>
  readonly body: () => Buffer
}

export function rawSession(port: number, settings: Settings = {}): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`, { settings })
  session.on('error', () => undefined)
  return session
}

export function rawCall(
  session: ClientHttp2Session,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): RawCall {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  })
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  stream.on('error', () => undefined)
  const status = new Promise<string | undefined>((resolve) => {
    const note = (fields: Readonly<Record<string, unknown>>): void => {
      if (fields['grpc-status'] !== undefined) resolve(String(fields['grpc-status']))
    }
    stream.on('response', note)
    stream.on('trailers', note)
    stream.on('close', () => resolve(undefined))
  })
  return { stream, status, body: () => Buffer.concat(chunks) }
}

/** The length-prefixed message of the gRPC wire format. */
export function frame(message: Buffer, compressed: 0 | 1 = 0): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt8(compressed, 0)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}
