import { checkInstance, checkOptions, checkWord, type OptionNames } from '../check.js'
import { badArgument } from '../errors.js'
import { Classifier } from '../models/classifier.js'
import { adamNames, type Preset, presetNames, sgdNames } from '../models/presets.js'
import { Module } from '../nn/index.js'
import { notebookTraining } from '../tasks/notebook.js'
import { type Rules, ruleNames, rulesOf } from '../tasks/rules.js'
import {
  type Batch,
  Batches,
  type BatchesOptions,
  type LabelledDocuments,
  orderNames,
} from '../text/batches.js'
import { type Loader, wayOf } from '../training/loader.js'
import type { OnNonFinite } from '../training/nonFinite.js'
import type { State, Task } from '../training/task.js'
import type { EpochsOptions, TrainerOptions } from '../training/trainerOptions.js'

/** Adapters for the options of version 0.1, whose trainer supported only classifiers. The next version removes them. */

/**
 * How a classifier is trained.
 * @deprecated Use `TrainerOptions`: a task, an optimiser and `clip`.
 */
export interface TrainingOptions extends Pick<Preset, 'optimizer' | 'clip' | 'batchSize'> {
  /** How steps are made; default `rulesOf('batched', 'fixed')`. */
  rules?: Rules
  /** See `TrainerOptions`. */
  onNonFinite?: OnNonFinite
}

/**
 * How documents become batches, without the batch size, and how many epochs to train.
 * @deprecated Use a `DataLoader` and `EpochsOptions`.
 */
export interface FitOptions extends Omit<BatchesOptions, 'batchSize'> {
  epochs: number
  /** Documents to test the model on, at the end of every `every` epochs. The epoch's record has the result. */
  test?: { data: LabelledDocuments; every: number }
  /** See `EpochsOptions`. */
  signal?: AbortSignal
}

const fitNames: OptionNames<FitOptions> = { ...orderNames, epochs: true, test: true, signal: true }

/** What `fit` needs in addition for a trainer that was constructed with a classifier. */
export interface Documents<Batch, Carry extends State> {
  batchSize: number
  test: Task<Batch, Carry>
}

/** The batch size of tests. */
const TEST_BATCH = 32

/** Returns a trainer's options for both forms of its constructor. `documents` is null for the form that takes a task. */
export function trainerParts<B, C extends State, A, M extends Module>(
  first: TrainerOptions<B, C, A, M> | Classifier,
  second: TrainingOptions | undefined,
): { options: TrainerOptions<B, C, A, M>; documents: Documents<B, C> | null }
export function trainerParts(first: object, second: TrainingOptions | undefined): object {
  if (second === undefined && !(first instanceof Module)) return { options: first, documents: null }
  const op = 'Trainer'
  const options = checkTraining(op, second)
  const { rules = rulesOf('batched', 'fixed'), onNonFinite = 'throw', batchSize } = options
  const model = classifierOf(op, first)
  const { test, ...training } = notebookTraining(model, options, rules)
  return { options: { model, ...training, onNonFinite }, documents: { batchSize, test } }
}

function classifierOf(op: string, model: object): Classifier {
  checkInstance(op, 'model', model, Classifier)
  return model as Classifier
}

function checkTraining(op: string, options: TrainingOptions | undefined): TrainingOptions {
  if (options === undefined) throw badArgument(op, 'options', 'an object', options)
  checkOptions(op, options, { ...presetNames, rules: true, onNonFinite: true })
  const { optimizer, rules } = options
  if (rules !== undefined) checkOptions(op, rules, ruleNames, 'options.rules')
  checkOptions(op, optimizer, sgdNames, 'options.optimizer')
  checkWord(op, 'optimizer.kind', optimizer.kind, ['sgd', 'adam'])
  if (optimizer.kind === 'adam') checkOptions(op, optimizer, adamNames, 'options.optimizer')
  return options
}

/** Returns the loader and options of `fit` for documents. */
export function fitParts<B, C extends State>(
  data: LabelledDocuments,
  options: FitOptions,
  documents: Documents<B, C>,
): { loader: Loader<B>; options: EpochsOptions<B, C> }
export function fitParts(
  data: LabelledDocuments,
  given: FitOptions,
  documents: Documents<Batch, null>,
): object {
  checkOptions('fit', given, fitNames)
  const { epochs, test, signal, ...order } = given
  if (test !== undefined) checkOptions('fit', test, { data: true, every: true }, 'options.test')
  const { batchSize, test: task } = documents
  // Packed when the epoch ends, because reading the documents may abort the run.
  const tested = test && {
    way: '',
    epoch: () => loaderOf(test.data, { batchSize: TEST_BATCH }).epoch(0),
  }
  return {
    loader: loaderOf(data, { ...order, batchSize }),
    options: {
      epochs,
      ...(test !== undefined && { test: { loader: tested, every: test.every, task } }),
      ...(signal !== undefined && { signal }),
    },
  }
}

function loaderOf(data: LabelledDocuments, options: BatchesOptions): Loader<Batch> {
  const batches = new Batches(data, options)
  const { shuffleSeed, ...order } = options
  const shuffle = shuffleSeed !== undefined
  return {
    way: wayOf({ items: data.documents.length, ...order, shuffle, seed: shuffleSeed }),
    epoch(number) {
      const epoch = batches.epoch(number)
      return {
        batches: epoch.steps,
        tokens: epoch.tokens,
        *from(first) {
          for (const batch of epoch.from(first)) yield { batch, tokens: batch.ids.sequences.rows }
        },
      }
    },
  }
}
