// The members of a zip archive, as numpy writes .npz: stored or deflated, found through the central directory.
// Archives come from anywhere: sizes are capped before anything is inflated, and checksums are checked.
import { crc32, inflateRawSync } from 'node:zlib'
import { Unreadable } from './unreadable.ts'

export interface ZipMember {
  readonly name: string
  readonly bytes: Uint8Array
}

const mostMembers = 64
const mostBytes = 64 * 1024 * 1024
const endSignature = 0x06054b50
const entrySignature = 0x02014b50
const localSignature = 0x04034b50
const endLength = 22
const longestComment = 0xffff

export function isZip(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0x50 && bytes[1] === 0x4b && (bytes[2] === 3 || bytes[2] === 5)
}

/** Throws Unreadable for what is not a whole, plain archive. */
export function unzip(bytes: Uint8Array): readonly ZipMember[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  try {
    return members(bytes, view)
  } catch (error) {
    if (error instanceof Unreadable) throw error
    throw new Unreadable(`the zip archive is damaged: ${message(error)}`, { cause: error })
  }
}

function members(bytes: Uint8Array, view: DataView): readonly ZipMember[] {
  const end = endOfDirectory(view)
  const count = view.getUint16(end + 10, true)
  if (count > mostMembers)
    throw new Unreadable(`a zip archive of at most ${mostMembers} members was expected: got ${count}`)
  let place = view.getUint32(end + 16, true)
  let total = 0
  const found: ZipMember[] = []
  for (let i = 0; i < count; i++) {
    if (view.getUint32(place, true) !== entrySignature)
      throw new Unreadable('the zip archive is damaged: its directory ends early')
    const entry = readEntry(bytes, view, place)
    total += entry.length
    if (total > mostBytes)
      throw new Unreadable(`the zip archive holds more than ${mostBytes / 1024 / 1024} MiB`)
    found.push({ name: entry.name, bytes: contentOf(bytes, view, entry) })
    place = entry.next
  }
  return found
}

interface Entry {
  readonly name: string
  readonly method: number
  readonly checksum: number
  readonly packed: number
  readonly length: number
  readonly local: number
  readonly next: number
}

function endOfDirectory(view: DataView): number {
  const lowest = Math.max(0, view.byteLength - endLength - longestComment)
  for (let place = view.byteLength - endLength; place >= lowest; place--)
    if (view.getUint32(place, true) === endSignature) return place
  throw new Unreadable('the zip archive is damaged: it has no directory at its end')
}

function readEntry(bytes: Uint8Array, view: DataView, place: number): Entry {
  const nameLength = view.getUint16(place + 28, true)
  const extras = view.getUint16(place + 30, true) + view.getUint16(place + 32, true)
  if ((view.getUint16(place + 8, true) & 1) === 1)
    throw new Unreadable('the zip archive is encrypted: a plain one was expected')
  return {
    name: new TextDecoder().decode(bytes.subarray(place + 46, place + 46 + nameLength)),
    method: view.getUint16(place + 10, true),
    checksum: view.getUint32(place + 16, true),
    packed: view.getUint32(place + 20, true),
    length: view.getUint32(place + 24, true),
    local: view.getUint32(place + 42, true),
    next: place + 46 + nameLength + extras,
  }
}

function contentOf(bytes: Uint8Array, view: DataView, entry: Entry): Uint8Array {
  if (view.getUint32(entry.local, true) !== localSignature)
    throw new Unreadable(
      `the zip archive is damaged: ${JSON.stringify(entry.name)} is not where it should be`,
    )
  const from =
    entry.local + 30 + view.getUint16(entry.local + 26, true) + view.getUint16(entry.local + 28, true)
  const packed = bytes.subarray(from, from + entry.packed)
  const content = unpacked(packed, entry)
  if (content.length !== entry.length || crc32(content) !== entry.checksum)
    throw new Unreadable(`the zip archive is damaged: ${JSON.stringify(entry.name)} has a wrong checksum`)
  return content
}

function unpacked(packed: Uint8Array, { name, method, length }: Entry): Uint8Array {
  switch (method) {
    case 0:
      return packed
    case 8:
      return inflateRawSync(packed, { maxOutputLength: Math.max(1, length) })
    default:
      throw new Unreadable(
        `${JSON.stringify(name)} is packed with method ${method}: stored (0) or deflated (8) was expected`,
      )
  }
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
