// The manifests against each other, against what the server listens on, and against the policy they ship.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { serve } from '../../src/cli/serve.ts'
import type { PolicySet } from '../../src/core/policy.ts'
import type { FoundProfile } from '../../src/core/profile.ts'
import { leaseName } from '../../src/kubernetes/lease.ts'
import { startReplicaReader } from '../../src/kubernetes/reader.ts'
import { loadPolicies } from '../../src/policy/load.ts'
import { startFakeApi } from './fakeApi.ts'
import { policySet } from './objects.ts'
import { eventually, quick } from './waiting.ts'

const deploy = join(import.meta.dirname, '../../deploy')
const grpcPort = 9090
const httpPort = 8080

/** A value somewhere in a manifest; a path that does not exist gives undefined. */
type Value =
  | string
  | number
  | boolean
  | null
  | readonly Value[]
  | { readonly [key: string]: Value }
  | undefined

function at(value: Value, ...path: readonly (string | number)[]): Value {
  let here = value
  for (const step of path) {
    if (typeof here !== 'object' || here === null) return undefined
    here = Object.entries(here).find(([key]) => key === String(step))?.[1]
  }
  return here
}

function list(value: Value): readonly Value[] {
  return Array.isArray(value) ? value : []
}

interface Manifest {
  readonly file: string
  readonly body: Value
}

const files = readdirSync(deploy, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.yaml'),
)
const manifests: readonly Manifest[] = files.flatMap((file) =>
  parseAllDocuments(readFileSync(join(deploy, file), 'utf8'), { uniqueKeys: true }).map((document) => {
    expect(document.errors, file).toEqual([])
    return { file, body: document.toJS() as Value }
  }),
)

function find(kind: string, name: string, folder = ''): Value {
  const found = manifests.filter(
    ({ file, body }) =>
      file.startsWith(folder) && at(body, 'kind') === kind && at(body, 'metadata', 'name') === name,
  )
  expect(
    found.map(({ file }) => file),
    `${kind} ${name}`,
  ).toHaveLength(1)
  return found[0]?.body
}

const deployment = find('Deployment', 'mixscaler', 'base')
const pod = at(deployment, 'spec', 'template')
const container = at(pod, 'spec', 'containers', 0)
const podLabels = at(pod, 'metadata', 'labels')
const grpcService = find('Service', 'mixscaler', 'base')

describe('the server', () => {
  test('offers the ports that the server listens on, and probes them', () => {
    expect(at(container, 'ports')).toEqual([
      { name: 'grpc', containerPort: grpcPort },
      { name: 'http', containerPort: httpPort },
    ])
    expect(at(container, 'readinessProbe', 'grpc')).toEqual({ port: grpcPort, service: 'readiness' })
    expect(at(container, 'livenessProbe', 'grpc')).toEqual({ port: grpcPort, service: 'liveness' })
  })

  test('is started with flags and variables that serve has, on its default ports', () => {
    const flags = list(at(container, 'args'))
      .slice(1)
      .map((argument) => /^--[a-z-]+/.exec(String(argument))?.[0])
    const secured = find('Deployment', 'mixscaler', 'components/mtls')
    const variables = list(at(secured, 'spec', 'template', 'spec', 'containers', 0, 'env')).map((variable) =>
      String(at(variable, 'name')).replace('MIXSCALER_', '--').toLowerCase().replaceAll('_', '-'),
    )
    expect(at(container, 'args', 0)).toBe(serve.name)
    for (const flag of [...flags, ...variables]) expect(serve.help).toContain(`${flag} `)
    expect(serve.help).toMatch(new RegExp(`--grpc-port PORT.*default ${grpcPort}`))
    expect(serve.help).toMatch(new RegExp(`--http-port PORT.*default ${httpPort}`))
  })

  test('with TLS is probed over HTTP, because the kubelet’s gRPC probes are plaintext', () => {
    const secured = at(
      find('Deployment', 'mixscaler', 'components/mtls'),
      'spec',
      'template',
      'spec',
      'containers',
      0,
    )
    expect(at(secured, 'readinessProbe')).toEqual({ grpc: null, httpGet: { path: '/readyz', port: 'http' } })
    expect(at(secured, 'livenessProbe')).toEqual({ grpc: null, httpGet: { path: '/healthz', port: 'http' } })
  })

  test('runs twice, without root, without a writable root, without capabilities', () => {
    expect(at(deployment, 'spec', 'replicas')).toBe(2)
    expect(at(pod, 'spec', 'securityContext')).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 65532,
      seccompProfile: { type: 'RuntimeDefault' },
    })
    expect(at(container, 'securityContext')).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    expect(at(container, 'resources', 'limits', 'memory')).toBeDefined()
    expect(at(container, 'resources', 'requests', 'memory')).toBeDefined()
  })

  test('is selected by everything that selects it', () => {
    expect(at(deployment, 'spec', 'selector', 'matchLabels')).toEqual(podLabels)
    expect(at(grpcService, 'spec', 'selector')).toEqual(podLabels)
    expect(at(find('Service', 'mixscaler-http'), 'spec', 'selector')).toEqual(podLabels)
    expect(at(find('PodDisruptionBudget', 'mixscaler'), 'spec', 'selector', 'matchLabels')).toEqual(podLabels)
    expect(at(find('NetworkPolicy', 'mixscaler'), 'spec', 'podSelector', 'matchLabels')).toEqual(podLabels)
    expect(at(find('PodMonitor', 'mixscaler'), 'spec', 'selector', 'matchLabels')).toEqual(podLabels)
    for (const constraint of list(at(pod, 'spec', 'topologySpreadConstraints'))) {
      expect(at(constraint, 'labelSelector', 'matchLabels')).toEqual(podLabels)
    }
  })

  test('leaves one replica standing in a drain', () => {
    expect(at(find('PodDisruptionBudget', 'mixscaler'), 'spec', 'maxUnavailable')).toBe(1)
  })
})

describe('who may reach it, and how', () => {
  test('KEDA finds every server: a headless Service, HTTP/2 in clear text unless TLS is on', () => {
    expect(at(grpcService, 'spec', 'clusterIP')).toBe('None')
    expect(at(grpcService, 'spec', 'ports')).toEqual([
      { name: 'grpc', port: grpcPort, targetPort: 'grpc', appProtocol: 'kubernetes.io/h2c' },
    ])
    const secured = at(find('Service', 'mixscaler', 'components/mtls'), 'spec', 'ports')
    expect(secured).toEqual([{ port: grpcPort, appProtocol: 'https' }])
  })

  test('gRPC from the namespace of KEDA only, metrics from that of the monitoring only', () => {
    const policy = find('NetworkPolicy', 'mixscaler')
    const rules = list(at(policy, 'spec', 'ingress')).map((rule) => ({
      from: list(at(rule, 'from')).map((peer) =>
        at(peer, 'namespaceSelector', 'matchLabels', 'kubernetes.io/metadata.name'),
      ),
      ports: list(at(rule, 'ports')).map((port) => at(port, 'port')),
    }))
    expect(at(policy, 'spec', 'policyTypes')).toEqual(['Ingress'])
    expect(rules).toEqual([
      { from: ['keda'], ports: ['grpc'] },
      { from: ['monitoring'], ports: ['http'] },
    ])
  })

  test('both monitors scrape a port that is there', () => {
    const service = find('Service', 'mixscaler-http')
    const monitor = find('ServiceMonitor', 'mixscaler')
    expect(at(service, 'metadata', 'labels')).toEqual(at(monitor, 'spec', 'selector', 'matchLabels'))
    expect(at(service, 'spec', 'ports')).toEqual([{ name: 'http', port: httpPort, targetPort: 'http' }])
    for (const endpoint of [
      at(monitor, 'spec', 'endpoints', 0),
      at(find('PodMonitor', 'mixscaler'), 'spec', 'podMetricsEndpoints', 0),
    ]) {
      expect(endpoint).toMatchObject({ port: 'http', path: '/metrics' })
    }
  })
})

describe('permissions', () => {
  const roles = manifests.filter(
    ({ file, body }) =>
      ['Role', 'ClusterRole'].includes(String(at(body, 'kind'))) && !file.startsWith('components/events'),
  )
  const rules = roles.flatMap(({ body }) => list(at(body, 'rules')))

  test('read, never write; no wildcard, no secret, no object that the reader does not need', () => {
    expect(roles).toHaveLength(2)
    for (const rule of rules) {
      for (const verb of list(at(rule, 'verbs'))) expect(['get', 'list', 'watch']).toContain(verb)
      for (const resource of list(at(rule, 'resources'))) {
        expect(String(resource)).toMatch(
          /^(pods|nodes|scaledobjects|resourceslices|resourceclaims|[a-z]+\/scale)$/,
        )
      }
      expect(list(at(rule, 'apiGroups'))).not.toContain('*')
      expect(at(rule, 'nonResourceURLs')).toBeUndefined()
    }
  })

  test('what the reader asks for is granted, by the paths it reads, and nothing that it does not read', async () => {
    const variants = [
      { name: 'a', target: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'a' }, pool: 'h100' },
      { name: 'b', target: { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'b' }, pool: 'h100' },
      {
        name: 'c',
        target: { apiVersion: 'leaderworkerset.x-k8s.io/v1', kind: 'LeaderWorkerSet', name: 'c' },
        pool: 'h100',
      },
    ]
    const discovered = policySet(variants, [{ name: 'h100' }])
    const stated = policySet(variants, [{ name: 'h100', gpus: 8 }])
    await expectRequests(discovered, granted(find('ClusterRole', 'mixscaler')))
    await expectRequests(stated, granted(find('Role', 'mixscaler')))
  })

  test('writing is for Events and their Lease, in a component of its own that turns it on', () => {
    expect(granted(find('ClusterRole', 'mixscaler-events'))).toEqual(['create events.k8s.io/events'])
    const role = find('Role', 'mixscaler-events')
    expect(granted(role)).toEqual([
      'create coordination.k8s.io/leases',
      'get coordination.k8s.io/leases',
      'update coordination.k8s.io/leases',
    ])
    expect(at(role, 'rules', 1, 'resourceNames')).toEqual([leaseName])
    expect(at(role, 'metadata', 'namespace')).toBe(at(deployment, 'metadata', 'namespace'))
    const env = at(find('Deployment', 'mixscaler', 'components/events'), 'spec', 'template', 'spec')
    expect(at(env, 'containers', 0, 'env')).toEqual([{ name: 'MIXSCALER_EVENTS', value: 'true' }])
    expect(serve.help).toContain('--events')
    for (const kind of ['ClusterRoleBinding', 'RoleBinding']) {
      const binding = find(kind, 'mixscaler-events')
      expect(at(binding, 'roleRef', 'name')).toBe('mixscaler-events')
      expect(at(binding, 'subjects', 0)).toEqual({
        kind: 'ServiceAccount',
        name: 'mixscaler',
        namespace: 'mixscaler',
      })
    }
  })

  test('they are bound to the account that the server runs under', () => {
    const account = find('ServiceAccount', 'mixscaler')
    expect(at(pod, 'spec', 'serviceAccountName')).toBe('mixscaler')
    for (const binding of [find('ClusterRoleBinding', 'mixscaler'), find('RoleBinding', 'mixscaler')]) {
      expect(at(binding, 'roleRef', 'name')).toBe('mixscaler')
      expect(at(binding, 'subjects')).toEqual([
        { kind: 'ServiceAccount', name: 'mixscaler', namespace: at(account, 'metadata', 'namespace') },
      ])
    }
  })
})

describe('TLS', () => {
  const certificate = find('Certificate', 'mixscaler-server')
  const secured = at(find('Deployment', 'mixscaler', 'components/mtls'), 'spec', 'template', 'spec')

  test('the certificate has the three names of the Service', () => {
    const service = `${at(grpcService, 'metadata', 'name')}.${at(grpcService, 'metadata', 'namespace')}`
    expect(at(certificate, 'spec', 'dnsNames')).toEqual([
      service,
      `${service}.svc`,
      `${service}.svc.cluster.local`,
    ])
  })

  test('its secret is mounted where the server is told to read it', () => {
    expect(at(secured, 'volumes', 0, 'secret', 'secretName')).toBe(at(certificate, 'spec', 'secretName'))
    const mount = String(at(secured, 'containers', 0, 'volumeMounts', 0, 'mountPath'))
    const files = list(at(secured, 'containers', 0, 'env')).map((variable) => at(variable, 'value'))
    expect(files).toEqual(['tls.crt', 'tls.key', 'ca.crt'].map((file) => `${mount}/${file}`))
  })

  test('one authority signs both ends, and KEDA finds its certificate in its own namespace', () => {
    const client = find('Certificate', 'mixscaler-keda-client')
    const authority = find('ClusterIssuer', 'mixscaler-authority')
    for (const end of [certificate, client]) {
      expect(at(end, 'spec', 'issuerRef', 'name')).toBe(at(authority, 'metadata', 'name'))
    }
    expect(at(find('Certificate', 'mixscaler-authority'), 'spec', 'secretName')).toBe(
      at(authority, 'spec', 'ca', 'secretName'),
    )
    expect(at(client, 'metadata', 'namespace')).toBe('keda')
    const authentication = find('ClusterTriggerAuthentication', 'mixscaler')
    const references = list(at(authentication, 'spec', 'secretTargetRef'))
    expect(references.map((reference) => at(reference, 'name'))).toEqual(
      references.map(() => at(client, 'spec', 'secretName')),
    )
    expect(references.map((reference) => at(reference, 'parameter'))).toEqual([
      'caCert',
      'tlsClientCert',
      'tlsClientKey',
    ])
  })
})

describe('the example', () => {
  const scaledObject = find('ScaledObject', 'llama-70b-h100-tp4')
  const generator = manifests.find(({ file }) => file === 'base/kustomization.yaml')?.body
  const shipped = list(at(generator, 'configMapGenerator', 0, 'files')).map(String)

  test('the shipped policy is valid, and is what the ScaledObject asks for, with the same bounds', () => {
    const files = shipped.map((file) => ({ file, text: readFileSync(join(deploy, 'base', file), 'utf8') }))
    const loaded = loadPolicies(files, () => measured)
    if (loaded.kind === 'invalid') throw new Error(loaded.problems.map(({ message }) => message).join('\n'))
    const policy = loaded.policies.policies[0]
    const variant = policy?.variants[0]
    const trigger = at(scaledObject, 'spec', 'triggers', 0)
    expect(at(trigger, 'metadata')).toEqual({
      scalerAddress: `mixscaler.mixscaler.svc.cluster.local:${grpcPort}`,
      policy: policy?.name,
      variant: variant?.name,
    })
    expect(at(scaledObject, 'metadata', 'namespace')).toBe(policy?.namespace)
    expect(at(scaledObject, 'spec', 'scaleTargetRef')).toEqual(variant?.scaleTarget)
    expect(at(scaledObject, 'spec', 'minReplicaCount')).toBe(variant?.replicas.min)
    expect(at(scaledObject, 'spec', 'maxReplicaCount')).toBe(variant?.replicas.max)
  })

  test('the address is one that the certificate and the Service have', () => {
    const address = String(at(scaledObject, 'spec', 'triggers', 0, 'metadata', 'scalerAddress'))
    const names = list(at(find('Certificate', 'mixscaler-server'), 'spec', 'dnsNames'))
    expect(names.map((name) => `${name}:${grpcPort}`)).toContain(address)
  })

  test('N asked for is N reached: AverageValue, no dead band, no window of the HPA in either direction', () => {
    expect(at(scaledObject, 'spec', 'triggers', 0, 'type')).toBe('external-push')
    expect(at(scaledObject, 'spec', 'triggers', 0, 'metricType')).toBe('AverageValue')
    const behavior = at(scaledObject, 'spec', 'advanced', 'horizontalPodAutoscalerConfig', 'behavior')
    for (const direction of ['scaleUp', 'scaleDown']) {
      expect(at(behavior, direction)).toMatchObject({
        stabilizationWindowSeconds: 0,
        tolerance: '0',
        selectPolicy: 'Max',
      })
      for (const rule of list(at(behavior, direction, 'policies'))) {
        expect(at(rule, 'tolerance')).toBeUndefined()
        expect(at(rule, 'periodSeconds')).toBe(15)
      }
    }
  })

  test('an error never takes replicas away: the fallback keeps what runs, and is not 0', () => {
    const fallback = at(scaledObject, 'spec', 'fallback')
    expect(at(fallback, 'behavior')).toBe('currentReplicasIfHigher')
    expect(Number(at(fallback, 'replicas'))).toBeGreaterThan(0)
  })

  test('the policies are mounted as a directory, so that changes arrive without a restart', () => {
    expect(at(generator, 'generatorOptions', 'disableNameSuffixHash')).toBe(true)
    expect(at(pod, 'spec', 'volumes', 0, 'configMap', 'name')).toBe(
      at(generator, 'configMapGenerator', 0, 'name'),
    )
    const mount = at(container, 'volumeMounts', 0)
    expect(at(mount, 'subPath')).toBeUndefined()
    expect(list(at(container, 'args'))).toContain(`--policy=${at(mount, 'mountPath')}`)
  })
})

describe('kustomizations', () => {
  test('every file they name exists, and every manifest belongs to one or is an alternative', () => {
    const named = manifests
      .filter(({ file }) => file.endsWith('kustomization.yaml'))
      .flatMap(({ file, body }) => {
        const references = [
          ...list(at(body, 'resources')),
          ...list(at(body, 'components')),
          ...list(at(body, 'patches')).flatMap((patch) => at(patch, 'path') ?? []),
          ...list(at(body, 'configMapGenerator', 0, 'files')),
        ]
        return references.map((reference) => join(file, '..', String(reference)))
      })
    for (const file of named) {
      const isKnown = files.includes(file) || files.includes(join(file, 'kustomization.yaml'))
      expect(isKnown, file).toBe(true)
    }
    const alone = files.filter((file) => !file.endsWith('kustomization.yaml') && !named.includes(file))
    expect(alone.toSorted()).toEqual([
      'examples/mtls/namespaced-triggerauthentication.yaml',
      'examples/namespaced-rbac.yaml',
    ])
  })
})

/** Any measured profile will do: the loader only has to find one. */
const measured: FoundProfile = {
  kind: 'found',
  profile: {
    name: 'llama-3.3-70b/h100-tp4',
    quality: 'good',
    source: 'test',
    a: 12,
    b: 0.06,
    c: 0.00002,
    ap: 14,
    bp: 0.045,
    d2: 0,
    g: 0,
    h: 20,
  },
}

/** Reads as these policies need of an API that has everything, until all these permissions have been used. */
async function expectRequests(policies: PolicySet, permissions: readonly string[]): Promise<void> {
  const api = await startFakeApi()
  api.bodies.set('/apis/resource.k8s.io', { kind: 'APIGroup', versions: [{ version: 'v1' }] })
  api.bodies.set('/apis/leaderworkerset.x-k8s.io/v1', {
    kind: 'APIResourceList',
    resources: [{ name: 'leaderworkersets', kind: 'LeaderWorkerSet' }],
  })
  const reader = startReplicaReader({ config: api.config, onHealth: () => undefined, timing: quick })
  const used = () => [...new Set(api.requests.flatMap(permissionFor))].toSorted()
  try {
    await reader.settled(policies, 5)
    await eventually(used, (found) => permissions.every((permission) => found.includes(permission)))
    expect(used()).toEqual(permissions)
  } finally {
    reader.stop()
    await api.close()
  }
}

function isWatch(request: string): boolean {
  return request.includes('watch=true')
}

function pathOf(request: string): string {
  return request.replace(/\?.*/, '')
}

/** What RBAC asks for a GET of this path. Discovery is open to every account. */
function permissionFor(request: string): readonly string[] {
  const path = /^\/(?:api|apis\/([^/]+))\/v[a-z0-9]+(?:\/namespaces\/[^/]+)?\/([a-z]+)(?:\/[^/]+(\/scale))?$/
  const parts = path.exec(pathOf(request))
  if (parts === null) return []
  const [, group = '', plural = '', scale] = parts
  if (scale !== undefined) return [`get ${group}/${plural}${scale}`]
  return [`${isWatch(request) ? 'watch' : 'list'} ${group}/${plural}`]
}

function granted(role: Value): readonly string[] {
  return list(at(role, 'rules'))
    .flatMap((rule) =>
      list(at(rule, 'apiGroups')).flatMap((group) =>
        list(at(rule, 'resources')).flatMap((resource) =>
          list(at(rule, 'verbs')).map((verb) => `${verb} ${group}/${resource}`),
        ),
      ),
    )
    .toSorted()
}
