import type { Preset } from '../models/presets.js'
import type { Module } from '../nn/index.js'
import { Adam, type Parameter, SGD } from '../optim/index.js'
import type { Batch } from '../text/batches.js'
import type { StepResult } from '../training/task.js'
import type { AnyOptimizer } from '../training/trainerState.js'
import { Classification, type DocumentModel } from './classification.js'
import type { Rules } from './rules.js'

/** A classifier with its recurrent layers. */
export interface RecurrentClassifier extends DocumentModel {
  readonly lstm: Module
}

/** What a trainer is given for a preset and the rules of a loop. */
export interface NotebookTraining {
  task: Classification
  /** What the test documents are measured by: the mean over them, whatever training reports. */
  test: Classification
  optimizer: AnyOptimizer
  clip: { parameters: readonly Parameter[]; maxNorm: number }
}

/**
 * The course notebook's training, and the one that it meant, as variants of the task and of the optimiser.
 *
 * @param options `batchSize`: the documents of a full batch, for loops that make no step of fewer.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a bad rate or momentum.
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

/** Knows how many documents its last batch had. */
class Remembering extends Classification {
  documents = 0

  override step(batch: Batch): StepResult<null> {
    this.documents = batch.labels.length
    return super.step(batch)
  }
}

/** An optimiser that leaves out the steps where `steps` is false: the gradients are dropped. */
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
