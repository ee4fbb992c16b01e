// HTML and SVG as values: text that is put into a template is escaped, markup is not, and nothing else can become markup.
// Names in policies, reasons of schedulers and file names are other people's words: none of them is trusted.

export interface Markup {
  readonly markup: string
}

/** Text and numbers are escaped, for element content and quoted attributes alike; undefined is nothing. */
export type Content = Markup | string | number | undefined | readonly Content[]

export function html(strings: TemplateStringsArray, ...values: readonly Content[]): Markup {
  const parts = strings.map((text, index) => text + (index < values.length ? rendered(values[index]) : ''))
  return { markup: parts.join('') }
}

/** For text that is markup already: our own style sheet and script. */
export function trusted(markup: string): Markup {
  return { markup }
}

/** JSON that ends no script element, whatever strings are in it. */
export function scriptJson(value: object): Markup {
  const text = JSON.stringify(value)
    .replaceAll('<', '\\u003c')
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029')
  return { markup: text }
}

function rendered(content: Content): string {
  if (content === undefined) return ''
  if (typeof content === 'string' || typeof content === 'number') return escaped(String(content))
  return isMarkup(content) ? content.markup : content.map(rendered).join('')
}

function isMarkup(content: Markup | readonly Content[]): content is Markup {
  return 'markup' in content
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? '')
}
