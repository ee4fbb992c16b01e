// Where reports go: files whose ending says in which form. The HTML is one file with everything in it.
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { extname } from 'node:path'
import type { WebAssets } from '../report/html/document.ts'
import type { Flag, Terminal } from './command.ts'
import { CommandError, exitCodes, usageError } from './exit.ts'

export const reportFlag = {
  type: 'string',
  multiple: true,
  placeholder: 'FILE',
  text: 'also write a report: .html (one file, for people), .json or .csv; may be given more than once',
} as const satisfies Flag

/** Each form is made when it is asked for. */
export interface ReportForms {
  readonly html: (assets: WebAssets) => string
  readonly json: () => object
  readonly csv: () => string
}

const endings = ['.html', '.json', '.csv'] as const
type Ending = (typeof endings)[number]

/** Throws a usage error before anything is computed for a file that cannot be written in any form. */
export function requireReportFiles(files: readonly string[]): void {
  for (const file of files) endingOf(file)
}

export async function writeReports(
  files: readonly string[],
  forms: ReportForms,
  terminal: Terminal,
): Promise<void> {
  for (const file of files) {
    try {
      await writeFile(file, contentOf(endingOf(file), forms))
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new CommandError(exitCodes.failed, `the report cannot be written: ${why}`, { cause: error })
    }
    terminal.error(`wrote ${file}\n`)
  }
}

/** The files of web/, beside src/ and dist/ alike. */
export function webAssets(): WebAssets {
  const read = (name: string): string => readFileSync(new URL(`../../web/${name}`, import.meta.url), 'utf8')
  const style = ['look.css', 'charts.css', 'media.css'].map(read).join('')
  return { style, reportScript: read('report.js'), pageScript: read('page.js') }
}

function contentOf(ending: Ending, forms: ReportForms): string {
  switch (ending) {
    case '.html':
      return forms.html(webAssets())
    case '.json':
      return `${JSON.stringify(forms.json(), null, 2)}\n`
    case '.csv':
      return forms.csv()
  }
}

function endingOf(file: string): Ending {
  const found = endings.find((ending) => ending === extname(file).toLowerCase())
  if (found !== undefined) return found
  throw usageError(`--report must end in ${endings.join(', ')}: got "${file}"`)
}
