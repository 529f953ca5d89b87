import type { Preset } from '../models/presets.js'
import type { Module } from '../nn/index.js'
import { Adam, type Parameter, SGD } from '../optim/index.js'
import type { Batch } from '../text/batches.js'
import type { StepResult } from '../training/task.js'
import type { AnyOptimizer } from '../training/trainerState.js'
import { Classification, type DocumentModel } from './classification.js'
import type { Rules } from './rules.js'

/** A classifier that exposes its recurrent layers. */
export interface RecurrentClassifier extends DocumentModel {
  readonly lstm: Module
}

/** The options of a trainer for a preset and the rules of a loop. */
export interface NotebookTraining {
  task: Classification
  /** The task for tests. Its loss is the mean over documents, whatever training reports. */
  test: Classification
  optimizer: AnyOptimizer
  clip: { parameters: readonly Parameter[]; maxNorm: number }
}

/**
 * Returns the parts of a trainer that trains as the course notebook does, or as it was meant to. The two differ in the options of
 * the task and the optimiser.
 *
 * @param options `optimizer` and `clip`; `batchSize` is the size of a full batch, for loops that skip the step of a smaller one.
 * @throws PackedRnnError ERR_OUT_OF_RANGE if the rate or the momentum is out of range.
 *
 * @example
 * ```ts
 * import { Classifier, presets } from 'packed-rnn/models'
 * import { documentLoader, notebookTraining, rulesOf } from 'packed-rnn/tasks'
 * import { Trainer } from 'packed-rnn/training'
 *
 * const preset = { ...presets['lstm64-adam'], hiddenSize: 4 }
 * const model = new Classifier({ preset, vocabularySize: 9, classes: 2, embeddingDim: 3 })
 * const data = { documents: [Int32Array.of(2, 3), Int32Array.of(4)], labels: Int32Array.of(0, 1) }
 * const { test: _, ...parts } = notebookTraining(model, preset, rulesOf('batched', 'fixed'))
 * const trainer = new Trainer({ model, ...parts })
 * for await (const event of trainer.fit(documentLoader(data, { batchSize: 2 }), { epochs: 1 }))
 *   console.log(event.event) // step
 * ```
 */
export function notebookTraining(
  model: RecurrentClassifier,
  { optimizer: kind, clip, batchSize }: Pick<Preset, 'optimizer' | 'clip' | 'batchSize'>,
  {
    reduction,
    weighsDocuments,
    dropsInEvaluation,
    trainsAll,
    stepsOnRest,
  }: Omit<Rules, 'pooling' | 'shuffles'>,
): NotebookTraining {
  const variant = { reduction, weighsDocuments, dropsInEvaluation }
  const parameters = (trainsAll ? model : model.lstm).parameters().filter(({ requiresGrad }) => requiresGrad)
  const optimizer =
    kind.kind === 'sgd'
      ? new SGD(parameters, { lr: kind.lr, momentum: kind.momentum })
      : new Adam(parameters, { lr: kind.lr })
  const common = {
    test: new Classification(model, { dropsInEvaluation }),
    clip: { parameters: model.lstm.parameters(), maxNorm: clip },
  }
  if (stepsOnRest) return { ...common, task: new Classification(model, variant), optimizer }
  const task = new Remembering(model, variant)
  return { ...common, task, optimizer: onlyOn(optimizer, () => task.documents === batchSize) }
}

/** A classification that remembers the size of its last batch. */
class Remembering extends Classification {
  documents = 0

  override step(batch: Batch): StepResult<null> {
    this.documents = batch.labels.length
    return super.step(batch)
  }
}

/** Wraps an optimiser so that it skips steps for which `steps` returns false. */
function onlyOn(optimizer: Adam | SGD, steps: () => boolean): AnyOptimizer {
  const { groups } = optimizer
  const inner: AnyOptimizer = optimizer
  return {
    groups,
    step: () => {
      if (steps()) optimizer.step()
    },
    stateDict: () => optimizer.stateDict(),
    loadStateDict: state => inner.loadStateDict(state),
    dispose: () => optimizer.dispose(),
    [Symbol.dispose]: () => optimizer.dispose(),
  }
}
