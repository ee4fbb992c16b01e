// Numbers out of an array as numpy saves it (.npy, format 1 to 3): a header in Python's words, then raw values.
import { Unreadable } from './unreadable.ts'

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]
const mostValues = 1_000_000

/** All values in the order they are stored: surfaces are lists, and a matrix of one row or column is one too. */
export function readNpy(bytes: Uint8Array): readonly number[] {
  if (bytes.length < 12 || magic.some((each, i) => bytes[i] !== each))
    throw new Unreadable('a numpy array (.npy) was expected: the file does not begin like one')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const wide = (bytes[6] ?? 0) >= 2
  const from = wide ? 12 : 10
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true)
  if (from + length > bytes.length) throw new Unreadable('the numpy array is cut off in its header')
  const header = new TextDecoder('latin1').decode(bytes.subarray(from, from + length))
  const kind = /'descr':\s*'([^']*)'/.exec(header)?.[1] ?? ''
  const shape = /'shape':\s*\(([0-9, ]*)\)/.exec(header)?.[1]
  const read = readers[kind.replace(/^[|=]/, '<')]
  if (read === undefined || shape === undefined)
    throw new Unreadable(
      `a numpy array of numbers was expected: got ${JSON.stringify(kind)} (${Object.keys(readers).join(', ')} can be read)`,
    )
  const dimensions = shape.split(',').filter((each) => each.trim() !== '')
  const count = dimensions.reduce((product, each) => product * Number(each), 1)
  if (!(count <= mostValues))
    throw new Unreadable(`a numpy array of at most ${mostValues} values was expected: got ${count}`)
  const width = Number(kind.at(-1))
  const start = from + length
  if (start + count * width > bytes.length)
    throw new Unreadable(`the numpy array is cut off: ${count} values were expected`)
  return Array.from({ length: count }, (_, i) => read(view, start + i * width))
}

type Read = (view: DataView, place: number) => number

const readers: Readonly<Record<string, Read>> = {
  '<f8': (view, place) => view.getFloat64(place, true),
  '>f8': (view, place) => view.getFloat64(place, false),
  '<f4': (view, place) => view.getFloat32(place, true),
  '>f4': (view, place) => view.getFloat32(place, false),
  '<i8': (view, place) => Number(view.getBigInt64(place, true)),
  '<u8': (view, place) => Number(view.getBigUint64(place, true)),
  '<i4': (view, place) => view.getInt32(place, true),
  '<u4': (view, place) => view.getUint32(place, true),
  '<i2': (view, place) => view.getInt16(place, true),
  '<u2': (view, place) => view.getUint16(place, true),
  '<u1': (view, place) => view.getUint8(place),
}
