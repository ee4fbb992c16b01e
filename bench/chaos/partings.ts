// Where two memories part: the paths at which they differ, so that a target that a restart changed has a name for its cause.

/** At most so many of them are told. */
const mostTold = 4

/** Of plain JSON. Empty where the two are equal. */
export function partings(one: unknown, other: unknown): readonly string[] {
  const found: string[] = []
  collect(one, other, '', found)
  return found.slice(0, mostTold)
}

function collect(one: unknown, other: unknown, path: string, found: string[]): void {
  if (Object.is(one, other) || found.length > mostTold) return
  if (!isRecord(one) || !isRecord(other)) {
    found.push(`${path}: ${told(one)} for ${told(other)}`)
    return
  }
  for (const key of new Set([...Object.keys(one), ...Object.keys(other)]))
    collect(one[key], other[key], path === '' ? key : `${path}.${key}`, found)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function told(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 120)
}
