import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { jsonSchema } from '../../src/policy/schema.ts'

const repository = new URL('../../', import.meta.url)

describe('The JSON Schema for editors', () => {
  it('is committed as the loader has it (otherwise: npm run schema)', async () => {
    const committed = await readFile(new URL('policies/schema.json', repository), 'utf8')
    expect(JSON.parse(committed)).toEqual(JSON.parse(JSON.stringify(jsonSchema())))
  })

  it('knows every mapping as closed', () => {
    const open = mappings(jsonSchema()).filter(
      (schema) => 'properties' in schema && schema['additionalProperties'] !== false,
    )
    expect(open).toEqual([])
  })
})

describe('docs/POLICY.md', () => {
  it('has every field', async () => {
    const text = await readFile(new URL('docs/POLICY.md', repository), 'utf8')
    const documented = new Set([...text.matchAll(/`([a-zA-Z0-9]+)`/g)].map(([, word]) => word))
    const fields = mappings(jsonSchema()).flatMap(({ properties }) => Object.keys(properties ?? {}))
    expect(fields.length).toBeGreaterThan(50)
    expect([...new Set(fields)].filter((field) => !documented.has(field))).toEqual([])
  })
})

interface Schema {
  readonly properties?: Readonly<Record<string, unknown>>
  readonly [keyword: string]: unknown
}

/** Every schema inside, itself included. */
function mappings(schema: unknown): readonly Schema[] {
  if (typeof schema !== 'object' || schema === null) return []
  const inside = Object.values(schema).flatMap(mappings)
  return isSchema(schema) ? [schema, ...inside] : inside
}

function isSchema(value: object): value is Schema {
  return 'properties' in value && 'type' in value
}
