import * as attention from './contract/attention.js'
import * as clip from './contract/clip.js'
import * as elementwise from './contract/elementwise.js'
import { missedStepsWords as missedSteps } from './contract/identity.js'
import * as loss from './contract/loss.js'
import * as optimizers from './contract/optimizers.js'
import * as pooling from './contract/pooling.js'
import * as products from './contract/products.js'
import * as random from './contract/random.js'
import * as recurrent from './contract/recurrent.js'
import * as reductions from './contract/reductions.js'
import * as rows from './contract/rows.js'
import * as softmax from './contract/softmax.js'
import { addon } from './nativeAddon.js'

export { functions } from './contract/elementwise.js'
export { mostMissedSteps, precisions } from './contract/identity.js'
export { poolings } from './contract/pooling.js'
export { distributions } from './contract/random.js'
export { cells } from './contract/recurrent.js'
export { reductions } from './contract/reductions.js'
export * from './nativeAddon.js'

/** The addon's functions and every native op: `native/ops` describes what each computes. */
export const native = {
  ...addon,
  ...attention,
  ...clip,
  ...elementwise,
  ...loss,
  ...optimizers,
  ...pooling,
  ...products,
  ...random,
  ...recurrent,
  ...reductions,
  ...rows,
  ...softmax,
}

/**
 * Returns the size of `MissedSteps` for a table, in 32-bit words: the scalars of the steps, their count, and
 * a position for each row.
 */
export function missedStepsWords(tableRows: number): number {
  return missedSteps + tableRows
}
