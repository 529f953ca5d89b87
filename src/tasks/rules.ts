import { checkWord, type OptionNames } from '../check.js'
import type { Pooling } from '../models/pooling.js'

/** The training loop: over batches, or over single documents with a step every 64. */
export type Loop = 'batched' | 'document'
export const loops = ['batched', 'document'] as const satisfies readonly Loop[]

/** Training as the course notebook meant it, or exactly as it does it. docs/notebook.md lists the differences. */
export type Mode = 'fixed' | 'notebook'
export const modes = ['fixed', 'notebook'] as const satisfies readonly Mode[]

/** The number of documents whose gradients the document loop adds up for a step. */
export const DOCUMENTS_PER_STEP = 64

/** The rules of a loop in a mode. */
export interface Rules {
  /** Whether each epoch has a new order of the documents. */
  shuffles: boolean
  /** Whether a step's gradient is the mean over its documents or the sum. */
  reduction: 'mean' | 'sum'
  /** Whether all parameters are trained, or only the LSTM's. */
  trainsAll: boolean
  /** Whether the documents left over at the end of an epoch make a step. */
  stepsOnRest: boolean
  /** Whether an epoch's loss is the mean over its documents or over its steps. */
  weighsDocuments: boolean
  /** Whether dropout is on in tests. */
  dropsInEvaluation: boolean
  /** How the model pools the states of a document. */
  pooling: Pooling
}

export const ruleNames: OptionNames<Rules> = {
  shuffles: true,
  reduction: true,
  trainsAll: true,
  stepsOnRest: true,
  weighsDocuments: true,
  dropsInEvaluation: true,
  pooling: true,
}

/**
 * Returns the rules of a loop in a mode. @throws PackedRnnError ERR_INVALID_ARGUMENT if the loop or the mode is unknown.
 *
 * @example
 * ```ts
 * import { rulesOf } from 'packed-rnn/tasks'
 *
 * console.log(rulesOf('batched', 'notebook').dropsInEvaluation, rulesOf('batched', 'fixed').dropsInEvaluation) // true false
 * ```
 */
export function rulesOf(loop: Loop, mode: Mode): Rules {
  checkWord('rulesOf', 'loop', loop, loops)
  checkWord('rulesOf', 'mode', mode, modes)
  const notebook = mode === 'notebook'
  const strange = notebook && loop === 'document'
  return {
    shuffles: !notebook,
    reduction: strange ? 'sum' : 'mean',
    trainsAll: !strange,
    stepsOnRest: !strange,
    weighsDocuments: !notebook,
    dropsInEvaluation: notebook,
    pooling: notebook ? 'notebook-last' : 'final',
  }
}
