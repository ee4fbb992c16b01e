// Prints the JSON Schema of policies: `npm run schema` puts it where editors find it, policies/schema.json.
import { jsonSchema } from './schema.ts'

process.stdout.write(`${JSON.stringify(jsonSchema(), null, 2)}\n`)
