// docs/EXPLAIN.md shows what the commands print: `npx vitest run test/explain/docs.test.ts -u` writes it anew.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runProgram } from '../../src/cli/program.ts'

const page = join(import.meta.dirname, '../../docs/EXPLAIN.md')

async function printed(command: string): Promise<string> {
  let out = ''
  const [program, ...args] = command.split(' ')
  expect(program).toBe('mixscaler')
  await runProgram(args, {
    out: (text) => {
      out += text
    },
    error: (text) => {
      throw new Error(`${command}: ${text}`)
    },
    env: {},
    signal: new AbortController().signal,
  })
  return out
}

test('every command of the page prints what stands below it', async () => {
  const parts = readFileSync(page, 'utf8').split(/(```console\n[\s\S]*?\n```\n)/)
  const commands = parts.flatMap((part) => /^```console\n\$ (.*)\n/.exec(part)?.[1] ?? [])
  expect(commands.length).toBeGreaterThanOrEqual(4)
  const real = await Promise.all(
    parts.map(async (part) => {
      const command = /^```console\n\$ (.*)\n/.exec(part)?.[1]
      return command === undefined ? part : `\`\`\`console\n$ ${command}\n${await printed(command)}\`\`\`\n`
    }),
  )
  await expect(real.join('')).toMatchFileSnapshot(page)
})
