// The name of a variant's metric in the HPA. KEDA uses it verbatim behind `s<trigger>-` and may ask for it in
// lower case (kubernetes #72996), so it holds nothing but lower-case letters, digits and dashes.
//   llama-70b, h100-tp4   ->  mixscaler-llama-70b-h100-tp4
//   Llama_70B, h100       ->  mixscaler-llama-70b-h100-<hash>
import { createHash } from 'node:crypto'

/** With KEDA's `s99-` in front it still fits the 63 characters of a Kubernetes label value. */
export const longestMetricName = 63 - 's99-'.length

const plainName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/

/** A pure function of the two names: equal on every server and after every restart. */
export function metricName(policy: string, variant: string): string {
  const name = `mixscaler-${policy}-${variant}`
  if (name.length <= longestMetricName && plainName.test(policy) && plainName.test(variant)) return name
  // Whatever is lost by cleaning or cutting, the hash of the names as they were keeps apart.
  const hash = createHash('sha256').update(`${policy}\n${variant}`).digest('hex').slice(0, 10)
  const clean = name.toLowerCase().replace(/[^a-z0-9]+/g, '-')
  return `${clean.slice(0, longestMetricName - hash.length - 1).replace(/-$/, '')}-${hash}`
}
