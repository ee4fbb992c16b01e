// What a peer's rule is to a backtest: a name, where the rule is written down, its parameters as it ships, and the
// ones a user would try. A configuration is a controller like any other: plants cannot tell it from our own.
import type { ControllerOf } from '../controller.ts'

export interface Peer {
  readonly name: string
  /** Project and document. */
  readonly source: string
  readonly shipped: Configuration
  /** What a user would tune, every combination; `shipped` need not be among them. */
  readonly grid: readonly Configuration[]
}

export interface Configuration {
  /** Unique within its peer: equal labels, equal behaviour. */
  readonly label: string
  readonly controllerOf: ControllerOf
}
