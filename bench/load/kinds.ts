// What V8's heap is made of: what the program holds, and what V8 makes of its code. Both lie in the same spaces, so that a
// growing space alone does not say whose it is.
import { getHeapSnapshot } from 'node:v8'

export interface HeapKinds {
  /** Objects, arrays, strings, closures, numbers: bytes and how many. */
  readonly data: Held
  /** Byte code, machine code, feedback, and V8's own tables of what depends on them. */
  readonly code: Held
}

interface Held {
  readonly bytes: number
  readonly count: number
}

interface Snapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: readonly string[]
      readonly node_types: readonly [readonly string[], ...unknown[]]
    }
  }
  /** One node after the other, `node_fields` numbers each. */
  readonly nodes: readonly number[]
}

/** V8's names of nodes. `hidden` are the compilers' weak lists and wrappers; memory outside of the heap is neither. */
const typesOf: Readonly<Record<keyof HeapKinds, ReadonlySet<string>>> = {
  data: new Set([
    ...['object', 'array', 'string', 'concatenated string', 'sliced string'],
    ...['closure', 'regexp', 'number', 'bigint', 'symbol'],
  ]),
  code: new Set(['code', 'hidden', 'object shape']),
}

/** After a full collection, which taking a snapshot does. */
export async function heapKinds(): Promise<HeapKinds> {
  const chunks: Buffer[] = []
  for await (const chunk of getHeapSnapshot()) chunks.push(chunk as Buffer)
  const { snapshot, nodes } = JSON.parse(Buffer.concat(chunks).toString()) as Snapshot
  const { node_fields: fields, node_types: types } = snapshot.meta
  const [typeAt, sizeAt] = ['type', 'self_size'].map((name) => fields.indexOf(name)) as [number, number]
  const held = { data: { bytes: 0, count: 0 }, code: { bytes: 0, count: 0 } }
  for (let at = 0; at < nodes.length; at += fields.length) {
    const type = types[0][nodes[at + typeAt] ?? 0] ?? ''
    for (const kind of ['data', 'code'] as const) {
      if (!typesOf[kind].has(type)) continue
      held[kind].bytes += nodes[at + sizeAt] ?? 0
      held[kind].count += 1
    }
  }
  return held
}
