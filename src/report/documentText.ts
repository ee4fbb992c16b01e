// A document for programs as text. Keys stand in the order they were given in, so equal documents give equal bytes.
import { stringify } from 'yaml'

export function documentText(document: object, output: 'json' | 'yaml'): string {
  switch (output) {
    case 'json':
      return `${JSON.stringify(document, null, 2)}\n`
    case 'yaml':
      return stringify(document, { aliasDuplicateObjects: false, lineWidth: 0 })
  }
}
