// The label selector of a scale subresource, which comes as text: `app=vllm,tier in (a,b),!canary`.
// Grammar: Kubernetes documentation, "Labels and Selectors".

type Labels = Readonly<Record<string, string>>
type Selector = (labels: Labels) => boolean

/** Undefined where the text is empty or cannot be read: nothing is matched then, rather than everything. */
export function parseSelector(text: string): Selector | undefined {
  if (text.trim() === '') return undefined
  const requirements = splitOutsideParentheses(text).map(parseRequirement)
  const known = requirements.filter((requirement) => requirement !== undefined)
  return known.length === requirements.length
    ? (labels) => known.every((requirement) => requirement(labels))
    : undefined
}

function parseRequirement(text: string): Selector | undefined {
  const key = '([A-Za-z0-9][-A-Za-z0-9_./]*)'
  const value = '([-A-Za-z0-9_.]*)'
  const equality = new RegExp(`^${key}\\s*(==|=|!=)\\s*${value}$`).exec(text)
  if (equality !== null) {
    const [, name = '', operator, wanted = ''] = equality
    return operator === '!='
      ? (labels) => labelOf(labels, name) !== wanted
      : (labels) => labelOf(labels, name) === wanted
  }
  const set = new RegExp(`^${key}\\s+(in|notin)\\s*\\(([^()]*)\\)$`).exec(text)
  if (set !== null) {
    const [, name = '', operator, list = ''] = set
    const values: readonly (string | undefined)[] = list.split(',').map((item) => item.trim())
    return operator === 'in'
      ? (labels) => values.includes(labelOf(labels, name))
      : (labels) => !values.includes(labelOf(labels, name))
  }
  const existence = new RegExp(`^(!?)\\s*${key}$`).exec(text)
  if (existence === null) return undefined
  const [, not, name = ''] = existence
  return not === '!'
    ? (labels) => labelOf(labels, name) === undefined
    : (labels) => labelOf(labels, name) !== undefined
}

function labelOf(labels: Labels, name: string): string | undefined {
  return Object.hasOwn(labels, name) ? labels[name] : undefined
}

function splitOutsideParentheses(text: string): readonly string[] {
  return text.split(/,(?![^(]*\))/).map((part) => part.trim())
}
