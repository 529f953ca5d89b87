import { noGrad } from '../autograd.js'
import type { DecodeStep } from '../decoding/step.js'
import type { LanguageDecoderState, LanguageModel } from '../models/languageModel.js'
import { add, scale } from '../ops/elementwise.js'
import { PackedIds } from '../packed.js'
import { outlive, scope } from '../scope.js'
import { disposeState, outliveState } from '../state.js'
import { type Matrix, tensor } from '../tensor.js'

/** A model in evaluation mode that has read the beginning of a text. `dispose` releases its state and restores its mode. */
export interface ReadPrompt {
  step: DecodeStep<LanguageDecoderState>
  /** For the ways of decoding. */
  options: { state: LanguageDecoderState; sentences: 1; begin: number }
  dispose(): void
  [Symbol.dispose](): void
}

/**
 * Reads a prompt.
 *
 * @param ids at least one; decoding begins with the last one
 * @param rules `hidden`: words that are never chosen; `temperature`: divides the logits; default 1
 */
export function readPrompt(
  model: LanguageModel,
  ids: Int32Array | readonly number[],
  { hidden, temperature = 1 }: { hidden: readonly number[]; temperature?: number },
): ReadPrompt {
  const wasTraining = model.training
  model.eval()
  const { state, step, mask } = noGrad(() =>
    scope(() => {
      const read = ids.length > 1 ? model.forward(new PackedIds([ids.slice(0, -1)])).state : null
      const decoding = model.decoding(1, read)
      // A row, so that the sum with logits is a matrix.
      const added = new Float32Array(model.embedding.weight.shape[0])
      for (const id of hidden) added[id] = -Infinity
      const { device } = model.embedding.weight
      const mask: Matrix = tensor(added, [1, added.length], { device })
      return { state: outliveState(decoding.state), step: decoding.step, mask: outlive(mask) }
    }),
  )
  const dispose = () => {
    disposeState(state)
    mask.dispose()
    if (wasTraining) model.train()
  }
  return {
    step(last, before) {
      const found = step(last, before)
      const logits = temperature === 1 ? found.logits : scale(found.logits, 1 / temperature)
      return { ...found, logits: add(logits, mask) }
    },
    options: { state, sentences: 1, begin: ids.at(-1)! },
    dispose,
    [Symbol.dispose]: dispose,
  }
}
