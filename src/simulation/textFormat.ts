// Prometheus' text format, as Python's client writes it: declarations, samples, escaped label values.

type MetricType = 'gauge' | 'counter' | 'histogram'

export function declaration(name: string, type: MetricType): string {
  return `# HELP ${name} ${name.replaceAll('_', ' ').replace('vllm:', '')}\n# TYPE ${name} ${type}`
}

/** `labels` as `labelText` writes them; none: an empty text. */
export function sample(name: string, labels: string, value: number): string {
  return `${name}${labels === '' ? '' : `{${labels}}`} ${formatValue(value)}`
}

/** Without braces, in the order given. */
export function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(',')
}

/** Whole numbers with ".0". */
export function formatValue(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value)
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
