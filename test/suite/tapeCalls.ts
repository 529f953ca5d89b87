import type { Calls } from './tape.js'
import { attentionCalls } from './tapeAttention.js'
import { elementwiseCalls } from './tapeElementwiseCalls.js'
import { indexCalls } from './tapeIndexing.js'
import { lossCalls } from './tapeLoss.js'
import { normCalls } from './tapeNorms.js'
import { productCalls } from './tapeProducts.js'
import { reduceCalls } from './tapeReduce.js'
import { sequenceCalls } from './tapeSequences.js'
import { shapeCalls } from './tapeShape.js'

/** Every op of the tape, as exactCalls.ts has them in float64. */
export const tapeCalls: Calls = {
  ...elementwiseCalls,
  ...reduceCalls,
  ...productCalls,
  ...shapeCalls,
  ...indexCalls,
  ...sequenceCalls,
  ...attentionCalls,
  ...normCalls,
  ...lossCalls,
}
