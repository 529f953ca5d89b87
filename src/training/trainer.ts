import { badArgument } from '../errors.js'
import type { Classifier } from '../models/classifier.js'
import type { Module } from '../nn/index.js'
import type { Batch as DocumentBatch, LabelledDocuments } from '../text/batches.js'
import {
  type Documents,
  type FitOptions,
  fitParts,
  type TrainingOptions,
  trainerParts,
} from './deprecated.js'
import type { Loader } from './loader.js'
import type { TrainingProgress } from './progress.js'
import type { State } from './task.js'
import { TaskTrainer } from './taskTrainer.js'
import type { EpochsOptions, TrainerOptions, TrainingEvent } from './trainerOptions.js'

export type { FitOptions, TrainingOptions } from './deprecated.js'

/**
 * Trains a model for a task, in steps and epochs, with tests and records. A run can resume from its state with the same bits. See
 * `Task` for how the parts work together.
 *
 * @example
 * ```ts
 * import { type Matrix, mul, nn, optim, sum, tensor } from 'packed-rnn'
 * import { DataLoader, type Task, Trainer } from 'packed-rnn/training'
 *
 * const model = new nn.Linear({ inFeatures: 1, outFeatures: 1 })
 * const task: Task<Matrix, null, number> = {
 *   model, weight: x => x.shape[0], metrics: () => ({}), predict: async x => [...(await model.forward(x).toArray())],
 *   step: x => ({ loss: sum(mul(model.forward(x), model.forward(x))), sums: {}, carry: null }),
 * }
 * const loader = new DataLoader([1, 2], { collate: some => tensor(some, [some.length, 1]), batchSize: 2 })
 * const trainer = new Trainer({ model, task, optimizer: new optim.SGD(model.parameters(), { lr: 0.01 }) })
 * for await (const { event } of trainer.fit(loader, { epochs: 1 }))
 *   console.log(event) // step
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
   * Trains until `epochs` epochs are complete, and yields an event after each step and each epoch. After `restore` it continues from
   * there. The event loop stays free while the device works.
   *
   * Only one `fit` can run at a time. It ends with its `for await` loop, also after a `break`. If you call `next()` yourself, call
   * `return()` to end it early.
   *
   * @throws PackedRnnError errors of the loader, the task and the device; ERR_NON_FINITE; ERR_INVALID_ARGUMENT if another `fit` is
   * running or an option is unknown; the signal's reason if it aborts.
   */
  fit(loader: Loader<Batch>, options: EpochsOptions<Batch, Carry>): AsyncGenerator<TrainingEvent, void, void>
  /** @deprecated Pass a loader, as `documentLoader` makes. */
  fit(data: LabelledDocuments, options: FitOptions): AsyncGenerator<TrainingProgress, void, void>
  fit(
    from: Loader<Batch> | LabelledDocuments,
    options: EpochsOptions<Batch, Carry> | FitOptions,
  ): AsyncGenerator<TrainingEvent | TrainingProgress, void, void> {
    return isLoader(from)
      ? this.run(from, options as EpochsOptions<Batch, Carry>)
      : this.#fit(from, options as FitOptions)
  }

  async *#fit(data: LabelledDocuments, given: FitOptions): AsyncGenerator<TrainingProgress, void, void> {
    this.checkIdle('fit')
    if (this.#documents === null) throw badArgument('fit', 'loader', 'a loader', data)
    const { loader, options } = fitParts(data, given, this.#documents)
    for await (const event of this.run(loader, options)) {
      if (event.event === 'epoch') continue
      const { event: _, ...progress } = event
      yield progress
    }
  }
}

function isLoader<Batch>(from: Loader<Batch> | LabelledDocuments): from is Loader<Batch> {
  return typeof from === 'object' && from !== null && 'epoch' in from
}
