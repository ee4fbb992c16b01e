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

/** A policy's pattern as part of a longer one that is anchored as a whole: `^` would never match there. */
export function withoutStartAnchor(pattern: string): string {
  return pattern.replace(/(^|\||\(|\(\?:)\^/g, '$1')
}
