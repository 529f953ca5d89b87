import { badArgument } from '../errors.js'
import type { Classifier } from '../models/classifier.js'
import type { Module } from '../nn/index.js'
import type { Batch as DocumentBatch, LabelledDocuments } from '../text/batches.js'
import type { Loader } from '../training/loader.js'
import type { TrainingProgress } from '../training/progress.js'
import type { State } from '../training/task.js'
import { Trainer as TaskTrainer } from '../training/trainer.js'
import type { EpochsOptions, TrainerOptions, TrainingEvent } from '../training/trainerOptions.js'
import { type Documents, type FitOptions, fitParts, type TrainingOptions, trainerParts } from './documents.js'

/**
 * Trains a model for a task, in steps and epochs, with tests and records. A run can resume from its state with the same bits. See
 * `Task` for how the parts work together. Until 0.3 it also takes a classifier and documents, as in version 0.1.
 *
 * @example
 * ```ts
 * import { optim } from 'packed-rnn'
 * import { Classifier, presets } from 'packed-rnn/models'
 * import { Classification, documentLoader } from 'packed-rnn/tasks'
 * import { Trainer } from 'packed-rnn/training'
 *
 * const model = new Classifier({ preset: presets['lstm64-adam'], vocabularySize: 9, classes: 2, embeddingDim: 3 })
 * const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 })
 * const trainer = new Trainer({ model, task: new Classification(model), optimizer })
 * const data = { documents: [Int32Array.of(2, 3), Int32Array.of(4)], labels: Int32Array.of(0, 1) }
 * for await (const { event } of trainer.fit(documentLoader(data, { batchSize: 2 }), { epochs: 1 }))
 *   console.log(event, trainer.history.length) // step 1
 * ```
 */
export class Trainer<
  Batch = DocumentBatch,
  Carry extends State = null,
  Answer = unknown,
  Model extends Module = Classifier,
> extends TaskTrainer<Batch, Carry, Answer, Model> {
  readonly #documents: Documents<Batch, Carry> | null

  /**
   * @throws PackedRnnError ERR_OUT_OF_RANGE if a number is out of range; ERR_INVALID_ARGUMENT if the model is invalid, or a word or
   * an option is unknown.
   */
  constructor(options: TrainerOptions<Batch, Carry, Answer, Model>)
  /** @deprecated Pass `{ model, task: new Classification(model), optimizer, clip }`. */
  constructor(model: Classifier, options: TrainingOptions)
  constructor(first: TrainerOptions<Batch, Carry, Answer, Model> | Classifier, second?: TrainingOptions) {
    const { options, documents } = trainerParts(first, second)
    super(options)
    this.#documents = documents
  }

  /**
   * Trains until `epochs` epochs are complete, and yields an event after each step and each epoch. See `TaskTrainer`.
   * @throws PackedRnnError errors of the loader, the task and the device; ERR_NON_FINITE; ERR_INVALID_ARGUMENT if another `fit` is
   * running or an option is unknown; the signal's reason if it aborts.
   */
  override fit(
    loader: Loader<Batch>,
    options: EpochsOptions<Batch, Carry>,
  ): AsyncGenerator<TrainingEvent, void, void>
  /** @deprecated Pass a loader, as `documentLoader` makes. */
  override fit(data: LabelledDocuments, options: FitOptions): AsyncGenerator<TrainingProgress, void, void>
  override fit(
    from: Loader<Batch> | LabelledDocuments,
    options: EpochsOptions<Batch, Carry> | FitOptions,
  ): AsyncGenerator<TrainingEvent | TrainingProgress, void, void> {
    return isLoader(from)
      ? super.fit(from, options as EpochsOptions<Batch, Carry>)
      : this.#fit(from, options as FitOptions)
  }

  async *#fit(data: LabelledDocuments, given: FitOptions): AsyncGenerator<TrainingProgress, void, void> {
    this.checkIdle('fit')
    if (this.#documents === null) throw badArgument('fit', 'loader', 'a loader', data)
    const { loader, options } = fitParts(data, given, this.#documents)
    for await (const event of super.fit(loader, options)) {
      if (event.event === 'epoch') continue
      const { event: _, ...progress } = event
      yield progress
    }
  }
}

function isLoader<Batch>(from: Loader<Batch> | LabelledDocuments): from is Loader<Batch> {
  return typeof from === 'object' && from !== null && 'epoch' in from
}
