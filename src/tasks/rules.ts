import { checkWord, type OptionNames } from '../check.js'
import type { Pooling } from '../models/pooling.js'

/** How training goes through the documents: batches, or one document after the other with a step every 64. */
export type Loop = 'batched' | 'document'
export const loops = ['batched', 'document'] as const satisfies readonly Loop[]

/** What the course notebook meant, or exactly what it does; docs/notebook.md has the differences. */
export type Mode = 'fixed' | 'notebook'
export const modes = ['fixed', 'notebook'] as const satisfies readonly Mode[]

/** Documents whose gradients the document loop adds up before it steps. */
export const DOCUMENTS_PER_STEP = 64

/** What a loop does in a mode. */
export interface Rules {
  /** A new order of the documents in each epoch. */
  shuffles: boolean
  /** Whether a step's gradient is the mean over its documents, or their sum. */
  reduction: 'mean' | 'sum'
  /** Whether all parameters are trained, or the LSTM's alone. */
  trainsAll: boolean
  /** Whether the documents that are left over at the end of an epoch make a step of their own. */
  stepsOnRest: boolean
  /** Whether an epoch's loss is the mean over its documents, or over its steps. */
  weighsDocuments: boolean
  /** Whether dropout stays on when the model is tested. */
  dropsInEvaluation: boolean
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
 * What a loop does in a mode. @throws PackedRnnError ERR_INVALID_ARGUMENT for an unknown loop or mode.
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
