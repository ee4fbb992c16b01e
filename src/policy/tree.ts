// YAML text to plain values whose places are known. YAML's surprises end here: duplicate keys, aliases that
// multiply, numbers that are not written as numbers. Whatever the text is, the answer is trees and problems.
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Pair,
  parseAllDocuments,
  type Scalar,
  type YAMLError,
} from 'yaml'
import type { Place, PolicyProblem } from './problem.ts'

/** A file as it was read; `file` is the name that messages carry. */
export interface PolicyFile {
  readonly file: string
  readonly text: string
}

export type Path = readonly PropertyKey[]

/** What stands at a place: its text as written, absent where nothing stands. */
export interface Finding {
  readonly place: Place
  readonly value?: string
  readonly sourceLine: string
}

export interface PolicyTree {
  readonly root: unknown
  /** Where nothing stands at the path, the place is that of what would contain it. */
  readonly locate: (path: Path, part: 'key' | 'value') => Finding
  /** Takes out what is broken, so that the rest can still be checked; places and paths stay those of the file. */
  readonly remove: (path: Path) => void
}

export interface ReadTrees {
  readonly trees: readonly PolicyTree[]
  readonly problems: readonly PolicyProblem[]
}

/** A ConfigMap's limit; anything larger is not a policy. */
export const maxFileBytes = 1_048_576
const maxNodes = 100_000
const maxDepth = 20
const plainNumber = /^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/

export function readTrees(file: PolicyFile): ReadTrees {
  const source = sourceOf(file)
  if (Buffer.byteLength(file.text) > maxFileBytes) {
    const message = `a policy file may have at most ${maxFileBytes} bytes`
    return { trees: [], problems: [source.problem(0, '', message, String(Buffer.byteLength(file.text)))] }
  }
  const garbled = file.text.indexOf('\uFFFD')
  if (garbled >= 0) {
    return { trees: [], problems: [source.problem(garbled, '', 'a policy file must be UTF-8 text')] }
  }
  const trees: PolicyTree[] = []
  const problems: PolicyProblem[] = []
  for (const document of parse(file.text)) {
    if (document.kind === 'failed') {
      problems.push(source.problem(0, '', document.message))
      continue
    }
    const faults = [...document.yaml.errors, ...document.yaml.warnings].filter(isNoEcho)
    for (const fault of faults) problems.push(source.problem(fault.pos[0], '', `YAML: ${fault.message}`))
    if (faults.length > 0 || isEmpty(document.yaml.contents)) continue
    const reader: Reader = { source, problems, anchors: new Map(), nodes: 0 }
    const root = read(reader, document.yaml.contents, '', 0, 0)
    if (reader.nodes < maxNodes) trees.push(treeOf(root, source))
  }
  return { trees, problems }
}

type Parsed =
  | { readonly kind: 'parsed'; readonly yaml: ReturnType<typeof parseAllDocuments>[number] }
  | { readonly kind: 'failed'; readonly message: string }

function parse(text: string): readonly Parsed[] {
  try {
    // Duplicate keys are found below, where both places are known; the library's check is quadratic.
    const documents = parseAllDocuments(text, { prettyErrors: false, uniqueKeys: false })
    return [...documents].map((yaml) => ({ kind: 'parsed', yaml }))
  } catch (error) {
    if (error instanceof RangeError)
      return [{ kind: 'failed', message: 'YAML: nested too deeply to be read' }]
    const why = error instanceof Error ? error.message : String(error)
    return [{ kind: 'failed', message: `YAML: ${why}` }]
  }
}

/** A fault makes the parser stumble over what follows: of those, only the first says something. */
function isNoEcho(fault: YAMLError, index: number, faults: readonly YAMLError[]): boolean {
  return index === 0 || (fault.code !== 'UNEXPECTED_TOKEN' && fault.pos[0] !== faults[index - 1]?.pos[0])
}

/** Nothing but comments: not a document. */
function isEmpty(contents: unknown): boolean {
  return contents === null || (isScalar(contents) && contents.value === null && contents.source === '')
}

interface Source {
  readonly place: (offset: number, path: string) => Place
  readonly sourceLine: (line: number) => string
  readonly problem: (offset: number, path: string, message: string, value?: string) => PolicyProblem
}

function sourceOf({ file, text }: PolicyFile): Source {
  const lineStarts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lineStarts.push(at + 1)
  function place(offset: number, path: string): Place {
    let line = 1
    let beyond = lineStarts.length + 1
    while (beyond - line > 1) {
      const middle = Math.floor((line + beyond) / 2)
      if ((lineStarts[middle - 1] ?? 0) <= offset) line = middle
      else beyond = middle
    }
    return { file, line, column: offset - (lineStarts[line - 1] ?? 0) + 1, path }
  }
  function sourceLine(line: number): string {
    return text.slice(lineStarts[line - 1], lineStarts[line]).trimEnd()
  }
  return {
    place,
    sourceLine,
    problem: (offset, path, message, value) => {
      const at = place(offset, path)
      return {
        ...at,
        message,
        ...(value === undefined ? {} : { value }),
        sourceLine: sourceLine(at.line),
      }
    },
  }
}

/** A node of the YAML with its plain value, its path in the file and its parts. */
interface Node {
  readonly path: string
  readonly offset: number
  readonly keyOffset: number
  readonly written: string
  readonly value: unknown
  readonly parts?: Map<string, Node> | Node[]
}

interface Reader {
  readonly source: Source
  readonly problems: PolicyProblem[]
  /** Filled in the order of the text, so that an alias means the nearest anchor above it. */
  readonly anchors: Map<string, unknown>
  nodes: number
}

function read(reader: Reader, yaml: unknown, path: string, keyOffset: number, depth: number): Node {
  const offset = offsetOf(yaml) ?? keyOffset
  const leaf = (value: unknown, written: string): Node => ({ path, offset, keyOffset, written, value })
  function refuse(message: string, written: string): Node {
    reader.problems.push(reader.source.problem(offset, path, message, written))
    return leaf(null, written)
  }
  reader.nodes++
  if (reader.nodes === maxNodes)
    return refuse(`must not grow beyond ${maxNodes} values`, 'more, with aliases')
  if (reader.nodes > maxNodes) return leaf(null, 'nothing')
  if (depth > maxDepth) return refuse(`must not be nested deeper than ${maxDepth} levels`, 'a deeper level')
  if (isAlias(yaml)) {
    if (!reader.anchors.has(yaml.source)) return refuse('must name an anchor above it', `*${yaml.source}`)
    return read(reader, reader.anchors.get(yaml.source), path, keyOffset, depth + 1)
  }
  if ((isScalar(yaml) || isMap(yaml) || isSeq(yaml)) && yaml.anchor !== undefined)
    reader.anchors.set(yaml.anchor, yaml)
  if (isMap(yaml)) return readMapping(reader, yaml.items, leaf({}, 'a mapping'), depth)
  if (isSeq(yaml)) {
    const parts = yaml.items.map((item, index) => read(reader, item, `${path}[${index}]`, offset, depth + 1))
    return {
      ...leaf(
        parts.map((part) => part.value),
        'a list',
      ),
      parts,
    }
  }
  if (!isScalar(yaml)) return leaf(null, 'nothing')
  const written = writtenScalar(yaml)
  if (typeof yaml.value === 'number' && !plainNumber.test(yaml.source ?? ''))
    return refuse(`must be in plain digits, or in quotes if it is text (YAML reads ${yaml.value})`, written)
  if (yaml.value !== null && !['string', 'number', 'boolean'].includes(typeof yaml.value))
    return refuse('must be text, a number, a list or a mapping: put it in quotes if it is text', written)
  return leaf(yaml.value, written)
}

function readMapping(reader: Reader, pairs: readonly Pair[], self: Node, depth: number): Node {
  const parts = new Map<string, Node>()
  for (const pair of pairs) {
    const keyOffset = offsetOf(pair.key) ?? self.offset
    if (!isScalar(pair.key)) {
      reader.problems.push(reader.source.problem(keyOffset, self.path, 'must have plain text as keys'))
      continue
    }
    const key = typeof pair.key.value === 'string' ? pair.key.value : (pair.key.source ?? '')
    const path = joinPath(self.path, key)
    const earlier = parts.get(key)
    if (earlier !== undefined) {
      const against = reader.source.place(earlier.keyOffset, path)
      reader.problems.push({ ...reader.source.problem(keyOffset, path, 'is stated twice'), against })
      continue
    }
    parts.set(key, read(reader, pair.value, path, keyOffset, depth + 1))
  }
  // Without a prototype, a key named __proto__ is a key like any other.
  const value: Record<string, unknown> = Object.create(null)
  for (const [key, part] of parts) value[key] = part.value
  return { ...self, value, parts }
}

function treeOf(root: Node, source: Source): PolicyTree {
  return {
    root: root.value,
    locate: (path, part) => {
      const found = descend(root, path)
      const here = found.node
      const missing = path
        .slice(found.depth)
        .reduce<string>((text, key) => joinPath(text, String(key)), here.path)
      const place = source.place(
        part === 'key' && missing === here.path ? here.keyOffset : here.offset,
        missing,
      )
      const sourceLine = source.sourceLine(place.line)
      return found.depth === path.length ? { place, value: here.written, sourceLine } : { place, sourceLine }
    },
    remove: (path) => {
      const { node: container, depth } = descend(root, path.slice(0, -1))
      const key = path.at(-1)
      if (key === undefined || depth < path.length - 1) return
      if (Array.isArray(container.parts) && Array.isArray(container.value)) {
        container.parts.splice(Number(key), 1)
        container.value.splice(Number(key), 1)
      } else if (container.parts instanceof Map && isRecord(container.value)) {
        container.parts.delete(String(key))
        delete container.value[String(key)]
      }
    },
  }
}

/** The node at the path, or the last one on the way to it. */
function descend(root: Node, path: Path): { readonly node: Node; readonly depth: number } {
  let node = root
  for (const [depth, key] of path.entries()) {
    const next = Array.isArray(node.parts) ? node.parts[Number(key)] : node.parts?.get(String(key))
    if (next === undefined) return { node, depth }
    node = next
  }
  return { node, depth: path.length }
}

function joinPath(path: string, key: string): string {
  const shown = key.length > 60 ? `${key.slice(0, 60)}...` : key
  if (!/^[\w.-]+$/.test(shown)) return `${path}[${JSON.stringify(shown)}]`
  return path === '' ? shown : `${path}.${shown}`
}

function writtenScalar(scalar: Scalar): string {
  const text = typeof scalar.value === 'string' ? JSON.stringify(scalar.value) : scalar.source || 'nothing'
  return text.length > 80 ? `${text.slice(0, 80)}...` : text
}

function offsetOf(yaml: unknown): number | undefined {
  return isScalar(yaml) || isMap(yaml) || isSeq(yaml) || isAlias(yaml) ? yaml.range?.[0] : undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
