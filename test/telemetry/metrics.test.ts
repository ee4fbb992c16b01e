// What a scrape shows of decisions, ticks and calls.
import { expect, test } from 'vitest'
import type { SpeedMemory } from '../../src/core/calibrate/calibrate.ts'
import { missing } from '../../src/core/reading.ts'
import { emptyState, type State } from '../../src/core/state.ts'
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts'
import { decisionOf, policyOf, policySetOf } from '../loop/values.ts'

/** The samples whose name begins so, without comments. */
async function samples(metrics: Metrics, name: string): Promise<string[]> {
  const { text } = await metrics.render()
  return text.split('\n').filter((line) => line.startsWith(`mixscaler_${name}`))
}

test('a decision shows per variant what is wanted, told, effective and there', async () => {
  const metrics = createMetrics(() => 1010, '0.1.0')
  metrics.decided(decisionOf(policySetOf([policyOf()]), 1005, 2), emptyState)
  const labels = 'namespace="chat",policy="llama",variant="h100"'
  expect(await samples(metrics, 'target_')).toEqual([
    `mixscaler_target_replicas{${labels}} 2`,
    `mixscaler_target_available{${labels}} 1`,
  ])
  expect(await samples(metrics, 'wanted_')).toEqual([`mixscaler_wanted_replicas{${labels}} 2`])
  expect(await samples(metrics, 'effective_')).toEqual([`mixscaler_effective_replicas{${labels}} 2`])
  expect(await samples(metrics, 'current_')).toContain(
    `mixscaler_current_replicas{${labels},state="ready"} 3`,
  )
  expect(await samples(metrics, 'plan_cost')).toEqual([
    'mixscaler_plan_cost_per_hour{namespace="chat",policy="llama",of="now"} 12',
    'mixscaler_plan_cost_per_hour{namespace="chat",policy="llama",of="plan"} 8',
    'mixscaler_plan_cost_per_hour{namespace="chat",policy="llama",of="target"} 8',
  ])
  expect(await samples(metrics, 'slo_attainment')).toEqual([
    'mixscaler_slo_attainment_ratio{namespace="chat",policy="llama",class="chat",bound="ttft"} 0.99',
  ])
})

test('a missing target has no sample, and is counted as not available', async () => {
  const metrics = createMetrics(() => 1010, '0.1.0')
  metrics.decided(decisionOf(policySetOf([policyOf()]), 1005, missing('backendDown')), emptyState)
  expect(await samples(metrics, 'target_')).toEqual([
    'mixscaler_target_available{namespace="chat",policy="llama",variant="h100"} 0',
  ])
})

test('what is known of a variant’s speed is shown as it is remembered, whatever could be seen at this tick', async () => {
  const metrics = createMetrics(() => 1010, '0.1.0')
  const applied = { base: Math.exp(0.12), slopes: Math.exp(-0.02), overheadMs: 35 }
  const remembering = (speed: SpeedMemory): State => ({
    ...emptyState,
    variants: { 'chat/llama/h100': { target: 2, plannedAt: 1005, speed } },
  })
  const fresh = { at: 1005, profile: 77, samples: [] }
  const decision = decisionOf(policySetOf([policyOf()]), 1005, 2)
  metrics.decided(decision, remembering(fresh))
  const labels = 'namespace="chat",policy="llama",variant="h100"'
  expect(await samples(metrics, 'profile_')).toEqual([`mixscaler_profile_digest{${labels}} 77`])
  metrics.decided(decision, remembering({ ...fresh, learnt: { applied, ratio: 1.1, offSince: 915 } }))
  expect(await samples(metrics, 'profile_')).toEqual([
    `mixscaler_profile_time_ratio{${labels}} 1.1`,
    `mixscaler_profile_correction_ratio{${labels},of="base"} ${Math.exp(0.12)}`,
    `mixscaler_profile_correction_ratio{${labels},of="slopes"} ${Math.exp(-0.02)}`,
    `mixscaler_profile_overhead_seconds{${labels}} 0.035`,
    `mixscaler_profile_digest{${labels}} 77`,
    `mixscaler_profile_off_since_timestamp_seconds{${labels}} 915`,
  ])
})

test('while another server is followed its tick is shown and nothing of decisions of one’s own, until there is one again', async () => {
  const metrics = createMetrics(() => 1010, '0.1.0')
  const own = async () => {
    const names = [
      'target_',
      'decision_',
      'plan_cost',
      'observation_age',
      'warnings',
      'tick_digest',
      'followed_',
    ]
    return (await Promise.all(names.map((name) => samples(metrics, name)))).map(({ length }) => length)
  }
  expect(await own()).toEqual([0, 0, 0, 0, 0, 0, 0])
  const decide = () => {
    metrics.decided(decisionOf(policySetOf([policyOf()]), 1005, 2), emptyState)
    metrics.digested(67, { targets: 1, observation: 2 })
    metrics.restsOn({ past: 'allOfThePast', policies: 77 })
  }
  decide()
  expect(await own()).toEqual([2, 4, 3, 1, 1, 2, 0])
  metrics.followed(990)
  expect(await own()).toEqual([0, 0, 0, 0, 0, 0, 1])
  expect(await samples(metrics, 'followed_')).toEqual(['mixscaler_followed_timestamp_seconds 990'])
  expect(await samples(metrics, 'past_read')).toEqual(['mixscaler_past_read 0'])
  decide()
  expect(await own()).toEqual([2, 4, 3, 1, 1, 2, 0])
})

test('by which policies was decided is unknown before the first decision', async () => {
  const metrics = createMetrics(() => 1010, '0.1.0')
  expect(await samples(metrics, 'policies_digest')).toEqual([])
  metrics.restsOn({ past: 'someOfThePast', policies: 77 })
  expect(await samples(metrics, 'policies_digest')).toEqual(['mixscaler_policies_digest 77'])
  expect(await samples(metrics, 'past_read')).toEqual(['mixscaler_past_read 0'])
})

test('the series of a policy that went are gone with the next decision', async () => {
  const metrics = createMetrics(() => 1010, '0.1.0')
  metrics.decided(decisionOf(policySetOf([policyOf(), policyOf({ name: 'qwen' })]), 1005, 2), emptyState)
  metrics.decided(decisionOf(policySetOf([policyOf()]), 1020, 2), emptyState)
  const { text } = await metrics.render()
  expect(text).toContain('policy="llama"')
  expect(text).not.toContain('policy="qwen"')
})

test('the age of the observation is unknown before the first decision and grows after it', async () => {
  let now = 1010
  const metrics = createMetrics(() => now, '0.1.0')
  expect(await samples(metrics, 'observation_age')).toEqual([])
  expect(await samples(metrics, 'warnings')).toEqual([])
  metrics.decided(decisionOf(policySetOf([policyOf()]), 1005, 2), emptyState)
  expect(await samples(metrics, 'observation_age')).toEqual(['mixscaler_observation_age_seconds 5'])
  expect(await samples(metrics, 'warnings')).toEqual(['mixscaler_warnings 0'])
  now = 1100
  expect(await samples(metrics, 'observation_age')).toEqual(['mixscaler_observation_age_seconds 95'])
})

test('a failed tick counts as failed, under the step that failed', async () => {
  const metrics = createMetrics(() => 0, '0.1.0')
  metrics.ticked({ outcome: 'failed', failedStep: 'observe', seconds: { whole: 10 } })
  expect(await samples(metrics, 'ticks_total{outcome="failed"')).toEqual([
    'mixscaler_ticks_total{outcome="failed"} 1',
  ])
  expect(await samples(metrics, 'tick_errors_total{step="observe"')).toEqual([
    'mixscaler_tick_errors_total{step="observe"} 1',
  ])
})

test('only methods that exist become a label: a caller cannot make series', async () => {
  const metrics = createMetrics(() => 0, '0.1.0')
  metrics.called({ path: '/externalscaler.ExternalScaler/GetMetrics', code: 'OK', seconds: 0.0002 })
  for (let i = 0; i < 5; i++)
    metrics.called({ path: `/made.Up/Method${i}`, code: 'UNIMPLEMENTED', seconds: 0.0002 })
  expect(await samples(metrics, 'grpc_call_duration_seconds_count')).toEqual([
    'mixscaler_grpc_call_duration_seconds_count{method="GetMetrics",code="OK"} 1',
    'mixscaler_grpc_call_duration_seconds_count{method="other",code="UNIMPLEMENTED"} 5',
  ])
})

test('every metric has help, base units and the prefix', async () => {
  const { text } = await createMetrics(() => 0, '0.1.0').render()
  const ours = text.split('\n').filter((line) => line.startsWith('# HELP mixscaler_'))
  expect(ours.length).toBeGreaterThan(20)
  for (const line of ours) {
    expect(line).toMatch(/^# HELP mixscaler_[a-z_]+ [A-Z0-9].*\.$/)
    expect(line.split(' ')[2]).not.toMatch(/milliseconds|_ms$|percent/)
  }
})
