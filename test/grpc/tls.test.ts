// TLS and mTLS with files that change on disk: conformance 37.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type PeerCertificate } from 'node:tls'
import { credentials } from '@grpc/grpc-js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Authority, createAuthority, type Issued } from './certificates.ts'
import { createBoard, kedaClient, ref, replicas, start, until } from './harness.ts'

const serviceNames = ['mixscaler.ns', 'mixscaler.ns.svc', 'mixscaler.ns.svc.cluster.local']

let folder: string
let authority: Authority

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mixscaler-tls-'))
  authority = createAuthority('test authority')
})

afterEach(() => rmSync(folder, { recursive: true }))

const file = (name: string): string => join(folder, name)

function write(issued: Issued): void {
  writeFileSync(file('tls.crt'), issued.certificate)
  writeFileSync(file('tls.key'), issued.key)
}

const files = () => ({ certificateFile: file('tls.crt'), keyFile: file('tls.key') })

/** Asks once as KEDA would under this name, with or without a certificate of its own. */
async function ask(port: number, host: string, identity?: Issued) {
  const channel = credentials.createSsl(
    Buffer.from(authority.certificate),
    identity === undefined ? null : Buffer.from(identity.key),
    identity === undefined ? null : Buffer.from(identity.certificate),
  )
  const keda = kedaClient(port, '2.21', channel, {
    'grpc.ssl_target_name_override': host,
    'grpc.default_authority': host,
  })
  const { code } = await keda.call('IsActive', ref('h100'), 5_000)
  keda.close()
  return code
}

function serverName(port: number): Promise<PeerCertificate['subject']['CN']> {
  return new Promise((resolve, reject) => {
    const socket = connect(
      { port, host: '127.0.0.1', ALPNProtocols: ['h2'], rejectUnauthorized: false },
      () => {
        const { CN } = socket.getPeerCertificate().subject
        expect(socket.alpnProtocol).toBe('h2')
        expect(['TLSv1.2', 'TLSv1.3']).toContain(socket.getProtocol())
        socket.destroy()
        resolve(CN)
      },
    )
    socket.on('error', reject)
  })
}

describe('TLS', () => {
  it('conformance 37: serves every name of the Service over h2, and plaintext clients not at all', async () => {
    write(authority.issue('first', serviceNames))
    const { board, server, keda, stop } = await start({ tls: files() })
    board.setAll(replicas(1))
    for (const name of serviceNames) expect(await ask(server.port, name), name).toBe('OK')
    expect(await ask(server.port, 'other.ns')).toBe('UNAVAILABLE')
    expect(await keda.call('IsActive', ref('h100'), 2_000)).toMatchObject({ code: 'UNAVAILABLE' })
    await stop()
  })

  it('conformance 37: with a client authority, only clients it has certified are served', async () => {
    write(authority.issue('server', serviceNames))
    const clients = createAuthority('client authority')
    writeFileSync(file('ca.crt'), clients.certificate)
    const { board, server, stop } = await start({ tls: { ...files(), clientAuthorityFile: file('ca.crt') } })
    board.setAll(replicas(1))
    expect(await ask(server.port, 'mixscaler.ns', clients.issue('keda'))).toBe('OK')
    expect(await ask(server.port, 'mixscaler.ns')).toBe('UNAVAILABLE')
    expect(await ask(server.port, 'mixscaler.ns', authority.issue('stranger'))).toBe('UNAVAILABLE')
    await stop()
  })

  it('conformance 37: uses files that were replaced for new connections, and half-replaced ones never', async () => {
    const [first, second] = [authority.issue('first', serviceNames), authority.issue('second', serviceNames)]
    write(first)
    const problems: string[] = []
    const { server, stop } = await start({
      tls: files(),
      timings: { certificateReloadMilliseconds: 20 },
      certificateProblem: (text) => problems.push(text),
    })
    expect(await serverName(server.port)).toBe('first')
    writeFileSync(file('tls.crt'), second.certificate) // and the key not yet
    await until(() => problems.some((text) => text.includes('does not belong')))
    expect(await serverName(server.port)).toBe('first')
    writeFileSync(file('tls.key'), '')
    const seen = problems.length
    await until(() => problems.length > seen + 1)
    expect(await serverName(server.port)).toBe('first')
    writeFileSync(file('tls.key'), second.key)
    let name = ''
    while (name !== 'second') name = String(await serverName(server.port))
    await stop()
  })

  it('does not start with files that cannot be used', async () => {
    const board = createBoard()
    await expect(start({ publication: board, tls: files() })).rejects.toThrow(/ENOENT.*tls\.crt/)
    write({ certificate: authority.issue('one').certificate, key: authority.issue('two').key })
    await expect(start({ publication: board, tls: files() })).rejects.toThrow('does not belong to the key')
  })
})
