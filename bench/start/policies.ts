// Policies of a fleet of any size on disk, as `serve` reads them: each a model of its own namespace, on two kinds of cards.
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PolicySet } from '../../src/core/policy.ts'
import { resolveFrom } from '../../src/core/profiles/library.ts'
import { measuredProfiles } from '../../src/core/profiles/measured.ts'
import { loadPolicies } from '../../src/policy/load.ts'

export interface WrittenPolicies {
  readonly directory: string
  readonly policies: PolicySet
}

/** Into a new directory, which is the caller's to remove. */
export async function writeFleet(policies: number, variants: number): Promise<WrittenPolicies> {
  const texts = Array.from({ length: policies }, (_, index) => policyText(`model-${index}`, variants))
  const loaded = loadPolicies(
    texts.map((text, index) => ({ file: `${index}.yaml`, text })),
    resolveFrom(measuredProfiles),
  )
  if (loaded.kind !== 'loaded') throw new Error(JSON.stringify(loaded))
  const directory = await mkdtemp(join(tmpdir(), 'mixscaler-fleet-'))
  await Promise.all(texts.map((text, index) => writeFile(join(directory, `${index}.yaml`), text)))
  return { directory, policies: loaded.policies }
}

function policyText(name: string, variants: number): string {
  const accelerators = ['h100', 'a100-80gb']
  return `apiVersion: mixscaler.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: ${name}, namespace: team-${name} }
spec:
  model: meta-llama/Llama-3.1-8B-Instruct
  servedNames: [llama-3.1-8b]
  classes:
    - name: chat
      slo: { ttft: { p95: 1s }, itl: { p95: 50ms } }
  variants:
${Array.from(
  { length: variants },
  (_, index) => `    - name: v${index}
      scaleTarget: { kind: Deployment, name: ${name}-v${index} }
      accelerator: { type: ${accelerators[index % 2]}, count: 1 }
      cost: $${(3.5 + 0.1 * index).toFixed(2)}/h
      replicas: { min: ${index === 0 ? 1 : 0}, max: 8 }
      startup: 60s
`,
).join('')}`
}
