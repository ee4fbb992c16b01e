// Certificates made on the spot (X.509 v3 in DER, RFC 5280), so that no key is kept in the repository and no
// other program is needed.
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

export interface Issued {
  readonly certificate: string
  readonly key: string
}

export interface Authority extends Issued {
  readonly issue: (name: string, dnsNames?: readonly string[]) => Issued
}

const ecdsaWithSha256 = sequence(objectId('2a8648ce3d040302'))

export function createAuthority(name: string): Authority {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const basicConstraints = extension('551d13', sequence(der(0x01, Buffer.from([0xff]))))
  const own = certificate(name, keys.publicKey, [basicConstraints], name, keys.privateKey)
  return {
    certificate: own,
    key: pem(keys.privateKey),
    issue: (subject, dnsNames = []) => {
      const issued = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const names = sequence(...dnsNames.map((dnsName) => der(0x82, Buffer.from(dnsName))))
      const extensions = dnsNames.length === 0 ? [] : [extension('551d11', names)]
      return {
        certificate: certificate(subject, issued.publicKey, extensions, name, keys.privateKey),
        key: pem(issued.privateKey),
      }
    },
  }
}

function certificate(
  subject: string,
  publicKey: KeyObject,
  extensions: readonly Buffer[],
  issuer: string,
  issuerKey: KeyObject,
): string {
  const hour = 3_600_000
  const validity = sequence(time(Date.now() - hour), time(Date.now() + hour))
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ecdsaWithSha256,
    distinguishedName(issuer),
    validity,
    distinguishedName(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    ...(extensions.length === 0 ? [] : [der(0xa3, sequence(...extensions))]),
  )
  const signature = der(0x03, Buffer.concat([Buffer.from([0]), sign('sha256', body, issuerKey)]))
  const base64 = sequence(body, ecdsaWithSha256, signature).toString('base64')
  return `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content
  const lengthBytes =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...lengthBytes]), content])
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts))
}

function objectId(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'))
}

function distinguishedName(commonName: string): Buffer {
  return sequence(der(0x31, sequence(objectId('550403'), der(0x0c, Buffer.from(commonName)))))
}

/** Critical, as basicConstraints must be and subjectAltName may be. */
function extension(idHex: string, value: Buffer): Buffer {
  return sequence(objectId(idHex), der(0x01, Buffer.from([0xff])), der(0x04, value))
}

function time(milliseconds: number): Buffer {
  const digits = new Date(milliseconds).toISOString().replace(/[-:T]|\.\d+/g, '')
  return der(0x18, Buffer.from(digits))
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}
