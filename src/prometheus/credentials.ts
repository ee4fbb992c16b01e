// Who we are to a Prometheus back end, and whom we trust. Secrets live in files and are read again for each
// query, so that a rotated token or certificate needs no restart; they appear in no message.
import { readFile } from 'node:fs/promises'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { PrometheusError } from './error.ts'

export interface CredentialOptions {
  readonly bearerTokenFile?: string
  readonly basicAuth?: { readonly username: string; readonly passwordFile: string }
  /** Sent as `X-Scope-OrgID` (Mimir, Cortex, Loki's family). */
  readonly tenant?: string
  readonly headers?: Readonly<Record<string, string>>
  /** PEM files. */
  readonly caFile?: string
  readonly certificateFile?: string
  readonly keyFile?: string
  /** Accepts any certificate. For a first look only. */
  readonly insecureSkipVerify?: boolean
}

export interface Credentials {
  readonly headers: Readonly<Record<string, string>>
  /** Texts that no message may contain. */
  readonly secrets: readonly string[]
  readonly httpAgent: HttpAgent
  readonly httpsAgent: HttpsAgent
}

interface CredentialReader {
  readonly read: () => Promise<Credentials>
  readonly close: () => void
}

export function credentialReader(options: CredentialOptions): CredentialReader {
  if (options.bearerTokenFile !== undefined && options.basicAuth !== undefined) {
    throw new RangeError('a bearer token and basic authentication exclude each other: both are given')
  }
  if ((options.certificateFile === undefined) !== (options.keyFile === undefined)) {
    throw new RangeError(
      'a client certificate needs both its certificate file and its key file: one is given',
    )
  }
  const httpAgent = new HttpAgent({ keepAlive: true })
  let https: { readonly files: string; readonly agent: HttpsAgent } | undefined

  async function httpsAgent(): Promise<HttpsAgent> {
    const { caFile, certificateFile, keyFile, insecureSkipVerify = false } = options
    const [ca, cert, key] = await Promise.all([caFile, certificateFile, keyFile].map(optional))
    const files = JSON.stringify([ca, cert, key])
    if (https?.files !== files) {
      // Queries under way keep the old agent; its idle connections end by themselves.
      const pem = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
      https = {
        files,
        agent: new HttpsAgent({ keepAlive: true, rejectUnauthorized: !insecureSkipVerify, ...pem }),
      }
    }
    return https.agent
  }

  async function authorization(): Promise<{ readonly header?: string; readonly secrets: readonly string[] }> {
    const { bearerTokenFile, basicAuth } = options
    if (bearerTokenFile !== undefined) {
      const token = await secret(bearerTokenFile)
      return { header: `Bearer ${token}`, secrets: [token] }
    }
    if (basicAuth === undefined) return { secrets: [] }
    const password = await secret(basicAuth.passwordFile)
    const encoded = Buffer.from(`${basicAuth.username}:${password}`).toString('base64')
    return { header: `Basic ${encoded}`, secrets: [password, encoded] }
  }

  return {
    read: async () => {
      const [{ header, secrets }, agent] = await Promise.all([authorization(), httpsAgent()])
      const { headers = {}, tenant } = options
      return {
        headers: {
          ...headers,
          ...(tenant !== undefined && { 'X-Scope-OrgID': tenant }),
          ...(header !== undefined && { Authorization: header }),
        },
        secrets: [...secrets, ...Object.values(headers)].filter((text) => text.length > 3),
        httpAgent,
        httpsAgent: agent,
      }
    },
    close: () => {
      httpAgent.destroy()
      https?.agent.destroy()
    },
  }
}

async function optional(path: string | undefined): Promise<string | undefined> {
  return path === undefined ? undefined : content(path)
}

async function secret(path: string): Promise<string> {
  const text = (await content(path)).trim()
  if (text === '' || /[\r\n\0]/.test(text)) {
    throw new PrometheusError('credentials', `${path} must hold one line of text`)
  }
  return text
}

async function content(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
    throw new PrometheusError('credentials', `cannot read ${path}: ${code}`)
  }
}
