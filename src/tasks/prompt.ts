import { noGrad } from '../autograd.js'
import type { DecodeStep } from '../decoding/step.js'
import type { LanguageDecoderState, LanguageModel } from '../models/languageModel.js'
import { scale } from '../ops/elementwise.js'
import { PackedIds } from '../packed.js'
import { scope } from '../scope.js'
import { disposeState, outliveState } from '../state.js'

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
 * @param temperature divides the logits
 */
export function readPrompt(
  model: LanguageModel,
  ids: Int32Array | readonly number[],
  temperature = 1,
): ReadPrompt {
  const wasTraining = model.training
  const restore = () => {
    if (wasTraining) model.train()
  }
  const read = () => {
    const before = ids.length > 1 ? model.forward(new PackedIds([ids.slice(0, -1)])).state : null
    const { state, step } = model.decoding(1, before)
    return { state: outliveState(state), step }
  }
  model.eval()
  let found: ReturnType<typeof read>
  try {
    found = noGrad(() => scope(read))
  } catch (error) {
    restore()
    throw error
  }
  const { state, step } = found
  const dispose = () => {
    disposeState(state)
    restore()
  }
  return {
    step(last, before) {
      const result = step(last, before)
      return temperature === 1 ? result : { ...result, logits: scale(result.logits, 1 / temperature) }
    },
    options: { state, sentences: 1, begin: ids.at(-1)! },
    dispose,
    [Symbol.dispose]: dispose,
  }
}
