// At most so many of our queries at Prometheus at once; the others wait their turn.

interface Slots {
  readonly use: <T>(work: () => Promise<T>) => Promise<T>
}

export function slots(count: number): Slots {
  let free = count
  const waiting: (() => void)[] = []
  return {
    use: async (work) => {
      if (free > 0) free--
      else await new Promise<void>((resolve) => waiting.push(resolve))
      try {
        return await work()
      } finally {
        const next = waiting.shift()
        if (next === undefined) free++
        else next()
      }
    },
  }
}
