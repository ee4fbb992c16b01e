// Which release this is: package.json says it, beside src and dist alike.
import { readFileSync } from 'node:fs'

export function version(): string {
  const document: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  if (typeof document === 'object' && document !== null && 'version' in document)
    return String(document.version)
  throw new Error('package.json states no version')
}
