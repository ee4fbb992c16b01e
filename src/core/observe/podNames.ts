// What a pod's name tells about its workload. Kubernetes appends generated suffixes; a whole name is left when
// they are stripped, so that `llama` and `llama-decode` are never confused, as prefixes would be.
import type { PodGroup } from './series.ts'

/** The alphabet of generated suffixes: no vowels, and no digits that look like letters (apimachinery, util/rand). */
const generated = '[bcdfghjklmnpqrstvwxz2456789]'

/** `name-<ordinal>`: StatefulSet, and the leaders of a LeaderWorkerSet. */
export const statefulPod = '(.+)-[0-9]+'
/** `name-<template hash>-<random>`: Deployment, Argo Rollout. Wins over `statefulPod` where both match. */
export const deploymentPod = `(.+)-${generated}{1,10}-${generated}{5}`
/** `name-<template hash>`: the ReplicaSet of a Deployment. */
export const replicaSet = `(.+)-${generated}{1,10}`

/** The pods of a LeaderWorkerSet: `name-<group>` leads, `name-<group>-<worker>` follow. */
export function groupPods(name: string): string {
  return `${literal(name)}-[0-9]+(?:-[0-9]+)?`
}

/** For `namespace/pod`: captures `namespace/name-<group>`, which names the replica. */
export function groupReplica(groups: readonly PodGroup[]): string {
  const names = groups.map(({ namespace, name }) => `${literal(namespace)}/${literal(name)}`)
  return `((?:${names.join('|')})-[0-9]+)(?:-[0-9]+)?`
}

/** A text as a regular expression that matches it alone. */
export function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}

/**
 * Why a policy's pattern cannot be used, or undefined. Allowed is what RE2 and JavaScript read alike and pod
 * names need; one pattern that Prometheus refuses would fail the query for every variant.
 */
export function patternProblem(pattern: string): string | undefined {
  if (pattern.length === 0 || pattern.length > 1000) return 'it must have 1 to 1000 characters'
  if (!/^(?:\(\?:|\[\^|[a-zA-Z0-9\-._*+?|()[\]{},]|\\[dw.])+$/.test(pattern) || /\[\^?\]/.test(pattern)) {
    return 'it may use letters, digits, - _ . * + ? | ( ) (?: [ ] [^ { } \\d \\w \\. and is anchored already'
  }
  const repeats = [...pattern.matchAll(/\{(\d+)(?:,(\d*))?\}/g)].map(([, least, most]) =>
    Number(most || least),
  )
  if (repeats.reduce((product, count) => product * Math.max(1, count), 1) > 1000) {
    return 'it must not repeat more than 1000 times'
  }
  try {
    new RegExp(pattern, 'u')
    return undefined
  } catch {
    return 'it is not a regular expression'
  }
}
