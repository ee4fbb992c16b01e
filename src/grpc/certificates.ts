// TLS from files that cert-manager and the kubelet replace while we run. They are read again at an interval
// (watches miss the kubelet's symlink swap) and used only once certificate and key belong together, so that a
// rotation caught half-way never takes the port down.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { ServerCredentials } from '@grpc/grpc-js'
import type { Clock } from './clock.ts'

export interface TlsFiles {
  /** PEM: the server's certificate and its chain. */
  readonly certificateFile: string
  readonly keyFile: string
  /** PEM: with it, only clients with a certificate from this authority are served (mTLS). */
  readonly clientAuthorityFile?: string
}

interface ReloadedCredentials {
  readonly credentials: ServerCredentials
  readonly stop: () => void
}

/** Rejects if the files cannot be used now; later failures are told to `failed`, and the last good files stand. */
export async function loadCredentials(
  files: TlsFiles,
  reloadMilliseconds: number,
  failed: (text: string) => void,
  clock: Clock,
): Promise<ReloadedCredentials> {
  let current = await readContext(files)
  const credentials = new RotatingCredentials(files.clientAuthorityFile !== undefined, current)
  let stopped = false
  let cancel = (): void => undefined

  const reload = async (): Promise<void> => {
    try {
      const next = await readContext(files)
      if (!sameFiles(current, next)) {
        current = next
        credentials.rotate(next)
      }
    } catch (error) {
      failed(error instanceof Error ? error.message : String(error))
    }
    schedule()
  }
  const schedule = (): void => {
    if (!stopped) cancel = clock.after(reloadMilliseconds, () => void reload())
  }

  schedule()
  return {
    credentials,
    stop: () => {
      stopped = true
      cancel()
    },
  }
}

class RotatingCredentials extends ServerCredentials {
  constructor(requireClientCertificate: boolean, context: SecureContextOptions) {
    super({ requestCert: requireClientCertificate, rejectUnauthorized: requireClientCertificate }, context)
  }

  /** For new connections; open ones keep what they were made with. */
  rotate(context: SecureContextOptions): void {
    this.updateSecureContextOptions(context)
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other
  }
}

interface PemFiles extends SecureContextOptions {
  readonly cert: Buffer
  readonly key: Buffer
  readonly ca?: Buffer
}

async function readContext(files: TlsFiles): Promise<PemFiles> {
  const [cert, key, ca] = await Promise.all([
    readFile(files.certificateFile),
    readFile(files.keyFile),
    files.clientAuthorityFile === undefined ? undefined : readFile(files.clientAuthorityFile),
  ])
  const context: PemFiles = { cert, key, minVersion: 'TLSv1.2', ...(ca === undefined ? {} : { ca }) }
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) {
    throw new Error(
      `the certificate in ${files.certificateFile} does not belong to the key in ${files.keyFile}`,
    )
  }
  createSecureContext(context)
  return context
}

function sameFiles(a: PemFiles, b: PemFiles): boolean {
  return a.cert.equals(b.cert) && a.key.equals(b.key) && (a.ca?.equals(b.ca ?? Buffer.alloc(0)) ?? true)
}
