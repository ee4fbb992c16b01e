// Any supported file of measurements into the one internal form, recognised by what is in it and not by its name.
import type { ProfileData } from '../core/profiles/measurement.ts'
import { aibrix, isAibrix } from './aibrix.ts'
import { parseCsv } from './csv.ts'
import { type Arrays, dynamoArrays, dynamoDocument, isDynamoArrays, isDynamoDocument } from './dynamo.ts'
import { guidellm, guidellmRecords, isGuidellm, isGuidellmCsv, isGuidellmRecords } from './guidellm.ts'
import { coefficientList, inferno, isCoefficientList, isInferno } from './inferno.ts'
import { isList, isObject, type Json, kindOf, numbersAt, parseJson } from './json.ts'
import { readNpy } from './npy.ts'
import { isOwnFormat, ownFormat } from './ownFormat.ts'
import type { Given } from './setup.ts'
import { tableData } from './tables.ts'
import { Unreadable } from './unreadable.ts'
import { isVllmBench, vllmBench } from './vllmBench.ts'
import { isZip, unzip } from './zip.ts'

export interface MeasurementFile {
  readonly name: string
  readonly bytes: Uint8Array
}

export interface ReadMeasurements {
  /** What the file was recognised as, for people. */
  readonly format: string
  readonly data: ProfileData
}

/** Above any honest file of means; detailed results with every token are larger and not needed. */
export const mostFileBytes = 64 * 1024 * 1024

/** Throws Unreadable, with the file's name and what was expected. */
export function readMeasurements({ name, bytes }: MeasurementFile, given: Given): ReadMeasurements {
  try {
    if (bytes.length > mostFileBytes)
      throw new Unreadable(
        `a file of at most ${mostFileBytes / 1024 / 1024} MiB was expected: got ${(bytes.length / 1024 / 1024).toFixed(1)} MiB`,
      )
    if (isZip(bytes)) return fromArrays(name, bytes, given)
    const text = decoded(bytes)
    return /^\s*[[{]/.test(text) ? fromJson(name, text, given) : fromCsv(name, text, given)
  } catch (error) {
    if (error instanceof Unreadable) throw new Unreadable(`${name}: ${error.message}`, { cause: error })
    throw error
  }
}

const known =
  'known are Dynamo (npz, JSON), AIBrix JSON, GuideLLM (JSON, CSV), vLLM bench JSON, inferno JSON, CSV and the output of `profile import`'

function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw new Unreadable(`neither text nor an .npz archive: ${known}`, { cause: error })
  }
}

function fromArrays(name: string, bytes: Uint8Array, given: Given): ReadMeasurements {
  const arrays: Record<string, readonly number[]> = {}
  for (const member of unzip(bytes)) {
    if (!member.name.endsWith('.npy')) continue
    arrays[member.name.slice(0, -'.npy'.length)] = readNpy(member.bytes)
  }
  return { format: 'Dynamo npz', data: arraysData(name, arrays, given) }
}

function arraysData(name: string, arrays: Arrays, given: Given): ProfileData {
  if (isDynamoArrays(Object.keys(arrays))) return dynamoArrays(name, arrays, given)
  throw new Unreadable(
    `a Dynamo profile with the arrays prefill_isl or x_kv_usage was expected: got ${Object.keys(arrays).slice(0, 8).join(', ')}`,
  )
}

function fromJson(name: string, text: string, given: Given): ReadMeasurements {
  const document = parsed(text)
  if (isOwnFormat(document)) return { format: 'imported measurements', data: ownFormat(document) }
  if (isAibrix(document)) return { format: 'AIBrix profile', data: aibrix(name, document, given) }
  if (isGuidellm(document)) return { format: 'GuideLLM report', data: guidellm(name, document, given) }
  if (isGuidellmRecords(document)) {
    const records = isList(document) ? document : []
    const rows = records.map((each, i) => ({ row: i + 1, cells: isObject(each) ? each : {} }))
    return { format: 'GuideLLM records', data: guidellmRecords(name, rows, given) }
  }
  if (isVllmBench(document)) return { format: 'vLLM bench results', data: vllmBench(name, document, given) }
  if (isInferno(document)) return { format: 'inferno coefficients', data: inferno(name, document, given) }
  if (isCoefficientList(document))
    return { format: 'list of coefficients', data: coefficientList(name, document, given) }
  if (isDynamoDocument(document))
    return { format: 'Dynamo JSON', data: dynamoDocument(name, document, given) }
  if (isObject(document) && isDynamoArrays(Object.keys(document)))
    return { format: 'Dynamo arrays', data: arraysData(name, jsonArrays(document), given) }
  throw new Unreadable(`JSON of a format that is not known: ${known}; got ${kindOf(document)}`)
}

function jsonArrays(document: Json): Arrays {
  if (!isObject(document)) return {}
  return Object.fromEntries(
    Object.keys(document).flatMap((key) => {
      const value = document[key]
      if (typeof value === 'number') return [[key, [value]]]
      return isList(value) ? [[key, numbersAt(document, key)]] : []
    }),
  )
}

/** One document, or one per line as --append-result writes them. */
function parsed(text: string): Json {
  try {
    return parseJson(text)
  } catch (error) {
    const lines = text.split('\n').filter((line) => line.trim() !== '')
    try {
      if (lines.length > 1) return lines.map(parseJson)
    } catch {
      // The first complaint says more.
    }
    throw new Unreadable(`not JSON: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}

function fromCsv(name: string, text: string, given: Given): ReadMeasurements {
  const { columns, rows } = parseCsv(text)
  if (isGuidellmCsv(columns)) {
    const records = rows.map(({ line, cells }) => ({ row: line, cells }))
    return { format: 'GuideLLM CSV', data: guidellmRecords(name, records, given) }
  }
  return { format: 'CSV', data: tableData(name, columns, rows, given) }
}
