// Text tables: columns as wide as their widest cell, numbers to the right, the last column wrapped to the width
// of the terminal. Same cells and width, same bytes.

export interface ColumnHead {
  readonly title: string
  readonly align: 'left' | 'right'
}

const gap = '  '
/** Where the last column would be narrower than this it goes on lines of its own, below the row. */
const narrowest = 32

/** Lines without line ends. Every row has as many cells as there are heads. */
export function table(
  heads: readonly ColumnHead[],
  rows: readonly (readonly string[])[],
  width: number,
): string[] {
  const all = [heads.map(({ title }) => title), ...rows]
  const fixed = heads.slice(0, -1)
  const widths = fixed.map((_, column) => Math.max(...all.map((cells) => (cells[column] ?? '').length)))
  const left = widths.reduce((sum, each) => sum + each + gap.length, 0)
  const below = width - left < narrowest
  return all.flatMap((cells) => {
    const row = fixed
      .map(({ align }, column) => pad(cells[column] ?? '', widths[column] ?? 0, align))
      .join(gap)
    const last = wrap(cells.at(-1) ?? '', below ? Math.max(narrowest, width - 4) : width - left)
    if (below) return [row.trimEnd(), ...(cells === all[0] ? [] : last.map((line) => `    ${line}`))]
    const [first = '', ...more] = last
    return [`${row}${gap}${first}`.trimEnd(), ...more.map((line) => `${' '.repeat(left)}${line}`)]
  })
}

/** Breaks at blanks; a word longer than the width stands alone. Empty text gives no line. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (word === '') continue
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

/** Indented, one dash for each text. */
export function bullets(texts: readonly string[], width: number): string[] {
  return texts.flatMap((text) =>
    wrap(text, width - 4).map((line, index) => `${index === 0 ? '  - ' : '    '}${line}`),
  )
}

function pad(text: string, width: number, align: ColumnHead['align']): string {
  return align === 'right' ? text.padStart(width) : text.padEnd(width)
}
