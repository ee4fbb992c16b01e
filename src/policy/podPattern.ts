// Whether a regular expression on pod names means the same here and in Prometheus. Prometheus matches with RE2,
// this process with its own engine: only what both read alike, and what cannot run away here, is a pattern.

const maxLength = 200
/** Backtracking over a pod's name, 63 characters, then takes under a million steps. */
const maxRepetitions = 4

/** What is wrong with the pattern, reading on from its path; undefined where nothing is. */
export function patternMistake(pattern: string): string | undefined {
  if (pattern.length > maxLength) return `must have at most ${maxLength} characters`
  try {
    // By itself too: a) | (b only compiles once it is wrapped, and would then escape its anchors.
    new RegExp(pattern)
    podPattern(pattern)
  } catch {
    return 'must be a regular expression that compiles'
  }
  if (/\\[^\\.\-+*?()[\]{}|^$/dDwWsS]/.test(pattern.replaceAll('\\\\', '')))
    return 'must be RE2 without back-references; of the escapes only \\d \\w \\s and punctuation'
  // Escaped characters and classes can hide brackets and stars; what is left is the structure.
  const unescaped = pattern.replace(/\\./g, 'e')
  if (/\[(\^?\]|\[:)/.test(unescaped))
    return 'must not have a class that is empty or named, such as [[:alpha:]]'
  const structure = unescaped.replace(/\[[^\]]*\]/g, 'c')
  if (/\(\?(?!:)/.test(structure)) return 'must be RE2 without look-around; of the groups only ( ) and (?: )'
  for (const [, low, high] of structure.matchAll(/\{(\d+),?(\d*)\}/g))
    if (Number(low) > 1000 || Number(high) > 1000) return 'must be RE2: no repetition above 1000'
  if (/\)[*+{]/.test(structure)) return 'must not repeat a group'
  const repetitions = structure.match(/(?<!\()[*+?]|\{\d+,\d*\}/g) ?? []
  if (repetitions.length > maxRepetitions) return `must not have more than ${maxRepetitions} repetitions`
  return undefined
}

/** Anchored at both ends, as Prometheus does it. Throws where it does not compile. */
export function podPattern(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`)
}
