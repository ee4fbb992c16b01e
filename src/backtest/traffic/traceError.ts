// What is wrong with a trace, where: `conv.csv:17: ...`. For people; thrown by the readers, shown by the command.

export class TraceError extends Error {
  constructor(file: string, line: number | undefined, message: string) {
    super(line === undefined ? `${file}: ${message}` : `${file}:${line}: ${message}`)
    this.name = 'TraceError'
  }
}

/** What stands in the file, short enough for a message. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text)
}
