// Where the Kubernetes API is, and who we are there: the pod's service account, else the user's kubeconfig.
// Having neither is a normal way to run; the answer then says what is lost, for the log at start.
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'

/** Where a pod learns which namespace it is in. */
const namespaceFile = '/var/run/secrets/kubernetes.io/serviceaccount/namespace'

type KubernetesAccess =
  | { readonly kind: 'configured'; readonly config: KubeConfig; readonly from: string }
  /** `why` is a sentence for the log: the reason, and what is lost. */
  | { readonly kind: 'notConfigured'; readonly why: string }

const lost =
  'replicas are counted from metrics alone: pods that start, wait or terminate are not seen, ' +
  'and pools without a stated inventory are unlimited'

const serviceAccountToken = '/var/run/secrets/kubernetes.io/serviceaccount/token'

/** Never throws: a kubeconfig that cannot be read is a reason to go without. */
export function findAccess(environment: NodeJS.ProcessEnv): KubernetesAccess {
  const config = new KubeConfig()
  if (environment['KUBERNETES_SERVICE_HOST'] !== undefined && existsSync(serviceAccountToken)) {
    config.loadFromCluster()
    return { kind: 'configured', config, from: 'service account' }
  }
  const variable = environment['KUBECONFIG'] ?? ''
  const home = join(environment['HOME'] ?? homedir(), '.kube', 'config')
  const files = (variable === '' ? [home] : variable.split(delimiter)).filter((file) => existsSync(file))
  if (files.length === 0) return without('no service account and no kubeconfig')
  try {
    for (const file of files) {
      const loaded = new KubeConfig()
      loaded.loadFromFile(file)
      // The first file that names a context wins, as with kubectl.
      config.mergeConfig(loaded, config.getCurrentCluster() !== null)
    }
  } catch (error) {
    return without(
      `the kubeconfig cannot be read: ${error instanceof Error ? error.message : 'unknown error'}`,
    )
  }
  if (config.getCurrentCluster() === null) return without('the kubeconfig names no current cluster')
  return { kind: 'configured', config, from: 'kubeconfig' }
}

/** The namespace that we run in; undefined outside of a cluster. */
export function ownNamespace(): string | undefined {
  try {
    return readFileSync(namespaceFile, 'utf8').trim()
  } catch {
    return undefined
  }
}

function without(reason: string): KubernetesAccess {
  return { kind: 'notConfigured', why: `Kubernetes is not used (${reason}): ${lost}` }
}
