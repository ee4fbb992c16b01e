// What the data sheets of GPUs say: enough to bound how fast weights can be read and prompts computed. Dense
// figures, without sparsity; found by the names that people, clouds and the device plugins give them.

export interface Accelerator {
  readonly name: string
  readonly memoryGigabytes: number
  /** 10^12 bytes per second. */
  readonly terabytesPerSecond: number
  /** 10^12 operations per second with 16-bit weights, and with 8-bit ones where the chip computes in them. */
  readonly teraflops16: number
  readonly teraflops8: number
}

/** The accelerator that a name such as `h100` or `NVIDIA-H100-80GB-HBM3` means; undefined for a slice or an unknown one. */
export function acceleratorNamed(name: string): Accelerator | undefined {
  const plain = name.toLowerCase().replace(/[^a-z0-9]+/g, '-')
  if (/(^|-)mig(-|$)/.test(plain)) return undefined
  return rows.find(([pattern]) => pattern.test(plain))?.[1]
}

function gpu(
  name: string,
  memoryGigabytes: number,
  terabytesPerSecond: number,
  teraflops16: number,
  teraflops8: number,
): Accelerator {
  return { name, memoryGigabytes, terabytesPerSecond, teraflops16, teraflops8 }
}

/** The first pattern that fits is meant: special forms stand before the plain ones. */
const rows: readonly (readonly [pattern: RegExp, accelerator: Accelerator])[] = [
  [/(^|-)t4(-|$)/, gpu('t4', 16, 0.32, 65, 65)],
  [/v100.*16g/, gpu('v100-16gb', 16, 0.9, 125, 125)],
  [/v100/, gpu('v100', 32, 0.9, 125, 125)],
  [/a10g/, gpu('a10g', 24, 0.6, 70, 140)],
  [/a10(?!0)/, gpu('a10', 24, 0.6, 125, 250)],
  [/a30/, gpu('a30', 24, 0.933, 165, 330)],
  [/a40/, gpu('a40', 48, 0.696, 150, 299)],
  [/a100.*80g/, gpu('a100-80gb', 80, 2.039, 312, 312)],
  [/a100/, gpu('a100-40gb', 40, 1.555, 312, 312)],
  [/l40s/, gpu('l40s', 48, 0.864, 362, 733)],
  [/l40/, gpu('l40', 48, 0.864, 181, 362)],
  [/(^|-)l4(-|$)/, gpu('l4', 24, 0.3, 121, 242)],
  [/4090/, gpu('rtx4090', 24, 1.008, 165, 330)],
  [/6000-ada/, gpu('rtx6000-ada', 48, 0.96, 182, 364)],
  [/gh200/, gpu('gh200', 96, 4, 989, 1979)],
  [/h100.*pcie/, gpu('h100-pcie', 80, 2, 756, 1513)],
  [/h100.*nvl/, gpu('h100-nvl', 94, 3.9, 835, 1671)],
  [/h100/, gpu('h100', 80, 3.35, 989, 1979)],
  [/h200/, gpu('h200', 141, 4.8, 989, 1979)],
  [/h20(?!0)/, gpu('h20', 96, 4, 148, 296)],
  [/b300/, gpu('b300', 288, 8, 2250, 4500)],
  [/b200/, gpu('b200', 180, 8, 2250, 4500)],
  [/mi300x/, gpu('mi300x', 192, 5.3, 1307, 2615)],
  [/mi325x/, gpu('mi325x', 256, 6, 1307, 2615)],
  [/mi355x/, gpu('mi355x', 288, 8, 2500, 5000)],
  [/gaudi-?2/, gpu('gaudi2', 96, 2.45, 432, 865)],
  [/gaudi-?3/, gpu('gaudi3', 128, 3.7, 1835, 1835)],
]
