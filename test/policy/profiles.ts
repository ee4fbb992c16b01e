// A profile library of two entries, so that messages about profiles stay put when the real one grows.
import type { Profile, ResolveProfile } from '../../src/core/profile.ts'

const h100: Profile = {
  name: 'llama-3.1-8b/h100-tp1',
  quality: 'fair',
  source: 'test',
  a: 6.17,
  b: 0.0348,
  c: 4.834e-5,
  ap: 6.17,
  bp: 0.02148,
  d2: 6.042e-7,
  g: 0,
  h: 7.786,
}
const l40s: Profile = { ...h100, name: 'llama-3.1-8b/l40s-tp1', quality: 'guess', a: 24, ap: 24 }

/** Knows the two by name, and Llama-3.1-8B on anything but an abacus. */
export const resolveProfile: ResolveProfile = ({ name, model, acceleratorType }) => {
  const named = [h100, l40s].find((profile) => profile.name === name)
  if (named !== undefined) return { kind: 'found', profile: named }
  if (name !== undefined || !model.includes('Llama-3') || acceleratorType === 'abacus')
    return { kind: 'notFound', nearest: [h100.name, l40s.name] }
  return { kind: 'found', profile: acceleratorType === 'l40s' ? l40s : h100 }
}
