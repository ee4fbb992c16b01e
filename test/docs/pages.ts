// The documents a reader of the project opens, and what stands in them: links to files, and commands to type.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '../..')

export interface Page {
  readonly path: string
  readonly text: string
}

export function pages(): readonly Page[] {
  const docs = readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`)
  return ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...docs].map((path) => ({
    path,
    text: textOf(path),
  }))
}

export function textOf(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** Targets of links and images that lie in the project. */
export function relativeLinks({ text }: Page): readonly string[] {
  const prose = text.replace(/^ *```[\s\S]*?^ *```/gm, '')
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
}

/** As GitHub makes them of headings. */
export function anchors(text: string): ReadonlySet<string> {
  const headings = text.matchAll(/^#+ (.*)$/gm)
  return new Set(
    [...headings].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

/** What begins with one of the programs that start something here: lines of code blocks, and code in sentences. */
export function commands({ text }: Page): readonly string[] {
  const blocks = [...text.matchAll(/^ *```(?:\w*)\n([\s\S]*?)^ *```/gm)].flatMap(([, block = '']) =>
    block.split('\n'),
  )
  const inline = [...text.replace(/^ *```[\s\S]*?^ *```/gm, '').matchAll(/`([^`\n]+)`/g)].map(
    ([, code = '']) => code,
  )
  return [...blocks, ...inline]
    .map((line) =>
      line
        .trim()
        .replace(/^\$ /, '')
        .replace(/\s+#.*$/, ''),
    )
    .filter((line) => /^(npx|npm|make|node|mixscaler) /.test(line))
}
