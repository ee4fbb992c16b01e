// The Dockerfile's shape, as there may be no Docker where the tests run: what it copies exists and reaches the
// builder, and the last stage carries no development dependency and no root.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const text = (file: string) => readFileSync(join(root, file), 'utf8')

interface Instruction {
  readonly name: string
  readonly rest: string
}

/** Continued lines joined, comments and blank lines gone. */
const instructions: readonly Instruction[] = text('Dockerfile')
  .replaceAll(/^\s*#.*$/gm, '')
  .replaceAll(/\\\n/g, ' ')
  .split('\n')
  .filter((line) => line.trim() !== '')
  .map((line) => {
    const [name = '', ...rest] = line.trim().split(/\s+/)
    return { name, rest: rest.join(' ') }
  })

const lastFrom = instructions.findLastIndex(({ name }) => name === 'FROM')
const finalStage = instructions.slice(lastFrom)
const stages = instructions
  .filter(({ name }) => name === 'FROM')
  .flatMap(({ rest }) => / AS (\w+)$/.exec(rest)?.[1] ?? [])
const rests = (from: readonly Instruction[], name: string) =>
  from.filter((instruction) => instruction.name === name).map(({ rest }) => rest)

describe('the image', () => {
  test('everything copied from the checkout is there, and let through by .dockerignore', () => {
    const allowed = text('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1))
    const sources = rests(instructions, 'COPY')
      .filter((rest) => !rest.startsWith('--from='))
      .flatMap((rest) => rest.split(' ').slice(0, -1))
    for (const source of sources) {
      expect(existsSync(join(root, source)), source).toBe(true)
      expect(allowed).toContain(source)
    }
    expect(new Set(allowed)).toEqual(new Set(sources))
  })

  test('what is copied between stages comes from a stage that exists', () => {
    for (const rest of rests(instructions, 'COPY')) {
      const from = /^--from=(\S+)/.exec(rest)?.[1]
      if (from !== undefined) expect(stages).toContain(from)
    }
  })

  test('every stage starts from the Node that package.json pins', () => {
    const { devDependencies } = JSON.parse(text('package.json')) as {
      devDependencies: Record<string, string>
    }
    expect(rests(instructions, 'ARG')[0]).toBe(`NODE_IMAGE=node:${devDependencies['node']}-bookworm-slim`)
    for (const rest of rests(instructions, 'FROM')) expect(rest).toMatch(/^\$\{NODE_IMAGE\}( AS \w+)?$/)
  })

  test('the last stage holds compiled code and production dependencies, and runs nothing to get them', () => {
    expect(rests(finalStage, 'RUN')).toEqual([])
    expect(rests(finalStage, 'COPY')).toEqual([
      'package.json LICENSE ./',
      'proto ./proto',
      'web ./web',
      '--from=dependencies /app/node_modules ./node_modules',
      '--from=build /app/dist ./dist',
    ])
    const install = instructions.slice(
      instructions.findIndex(({ rest }) => rest.endsWith('AS dependencies')),
      lastFrom,
    )
    expect(rests(install, 'RUN')).toHaveLength(1)
    expect(rests(install, 'RUN')[0]).toContain('npm ci --omit=dev')
  })

  test('it runs as the numbered user of the Deployment, and says what it listens on', () => {
    expect(rests(finalStage, 'USER')).toEqual(['65532:65532'])
    expect(text('deploy/base/deployment.yaml')).toContain('runAsUser: 65532')
    expect(rests(finalStage, 'EXPOSE')).toEqual(['9090 8080'])
    expect(rests(finalStage, 'HEALTHCHECK').join()).toContain('http://127.0.0.1:8080/healthz')
  })

  test('it starts the program that the build makes of src/main.ts', () => {
    const { bin } = JSON.parse(text('package.json')) as { bin: Record<string, string> }
    expect(bin['mixscaler']).toBe('dist/main.js')
    expect(rests(finalStage, 'ENTRYPOINT')[0]).toContain('"dist/main.js"')
  })

  test('its version is the package’s, as the manifests name it', () => {
    const { version } = JSON.parse(text('package.json')) as { version: string }
    expect(rests(finalStage, 'ARG')).toContain(`VERSION=${version}`)
    expect(text('deploy/base/kustomization.yaml')).toContain(`newTag: ${version}`)
  })
})
