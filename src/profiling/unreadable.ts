// A measurement file that cannot be used: says which, what is wrong with it and what was expected.
export class Unreadable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'Unreadable'
  }
}
