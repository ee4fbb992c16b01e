import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { prometheusClient } from '../../src/prometheus/client.ts'
import type { CredentialOptions } from '../../src/prometheus/credentials.ts'
import { createAuthority, type Issued } from '../grpc/certificates.ts'
import { vector } from './loopback.ts'

const folder = mkdtempSync(join(tmpdir(), 'mixscaler-tls-'))
const authority = createAuthority('Metrics CA')
const stranger = createAuthority('Another CA')
const clients: (string | undefined)[] = []
let server: Server

beforeAll(async () => {
  const { certificate, key } = authority.issue('localhost', ['localhost'])
  server = createServer(
    { cert: certificate, key, ca: authority.certificate, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      const { CN } = (request.socket as TLSSocket).getPeerCertificate().subject ?? {}
      clients.push(Array.isArray(CN) ? CN[0] : CN)
      request.resume().on('end', () => response.end(JSON.stringify(vector())))
    },
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})

afterAll(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  rmSync(folder, { recursive: true })
})

function written(name: string, content: string): string {
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}

function writtenPair(name: string, { certificate, key }: Issued) {
  return { certificateFile: written(`${name}.crt`, certificate), keyFile: written(`${name}.key`, key) }
}

async function asked(options: CredentialOptions): Promise<string> {
  const { port } = server.address() as AddressInfo
  const environment = { random: () => 0, sleep: async () => undefined }
  const client = prometheusClient({ url: `https://localhost:${port}`, attempts: 1, ...options }, environment)
  try {
    const before = clients.length
    await client.instant('up', 0, new AbortController().signal)
    return clients[before] ?? 'anonymous'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    client.close()
  }
}

it('trusts the certificate authority it is told, and no other', async () => {
  expect(await asked({ caFile: written('ca.crt', authority.certificate) })).toBe('anonymous')
  expect(await asked({ caFile: written('other.crt', stranger.certificate) })).toMatch(
    /^no connection: [A-Z_]+$/,
  )
  expect(await asked({})).toMatch(/^no connection: [A-Z_]+$/)
})

it('accepts any certificate only when told so', async () => {
  expect(await asked({ insecureSkipVerify: true })).toBe('anonymous')
})

it('shows its own certificate, and a renewed one without a restart', async () => {
  const caFile = written('ca.crt', authority.certificate)
  const pair = writtenPair('client', authority.issue('mixscaler'))
  const { port } = server.address() as AddressInfo
  const client = prometheusClient(
    { url: `https://localhost:${port}`, caFile, ...pair },
    { random: () => 0, sleep: async () => undefined },
  )
  const { signal } = new AbortController()
  await client.instant('up', 0, signal)
  writtenPair('client', authority.issue('mixscaler-renewed'))
  await client.instant('up', 0, signal)
  client.close()
  expect(clients.slice(-2)).toEqual(['mixscaler', 'mixscaler-renewed'])
})
