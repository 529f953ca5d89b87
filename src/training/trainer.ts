import { checkInteger } from '../check.js'
import { badArgument } from '../errors.js'
import type { StateEntry } from '../nn/index.js'
import { crossEntropy } from '../ops/loss.js'
import { Adam, clipGradNorm, SGD } from '../optim/index.js'
import { scope } from '../scope.js'
import type { Tensor } from '../tensor.js'
import { type Batch, Batches, type BatchesOptions, type LabelledDocuments } from '../text/batches.js'
import type { Classifier } from './classifier.js'
import type { Preset } from './presets.js'
import type { TrainingProgress } from './progress.js'
import { type Rules, rulesOf } from './rules.js'

/** How a model is trained. */
export interface TrainingOptions extends Pick<Preset, 'optimizer' | 'clip' | 'batchSize'> {
  /** What a step is; default the fixed batched loop's. */
  rules?: Rules
}

/** How the documents are put into batches, besides their size, and how often. */
export interface FitOptions extends Omit<BatchesOptions, 'batchSize'> {
  epochs: number
  /** Ends the run before the next step; the iterator then throws the signal's reason. */
  signal?: AbortSignal
}

/** An epoch that is over. */
export interface EpochFigures {
  /** The mean loss of its documents, or in the notebook's mode of its steps. */
  loss: number
  seconds: number
  tokensPerSecond: number
}

/** How far a trainer is. */
export interface TrainerPosition {
  /** Epochs that are over. */
  epoch: number
  /** Steps of the current epoch. */
  step: number
  lossSum: number
  /** What the sum of losses is divided by: documents, or steps. */
  weight: number
  /** Of all epochs. */
  tokens: number
  seconds: number
  /** How its epoch goes through the documents: in the middle of one that cannot change. */
  way: string
  /** Those of the current epoch's first step. */
  epochStart: { tokens: number; seconds: number }
  history: EpochFigures[]
}

type AdamState = Awaited<ReturnType<Adam['stateDict']>>
type SgdState = Awaited<ReturnType<SGD['stateDict']>>

/** All that a run needs to go on with the same bits. */
export interface TrainerState {
  position: TrainerPosition
  /** Masks that dropout has drawn. */
  masks: number
  model: ReadonlyMap<string, StateEntry>
  /** Its `groups` are what JSON can hold. */
  optimizer: Pick<AdamState, 'tensors'> & { groups: AdamState['groups'] | SgdState['groups'] }
}

/** Steps whose losses are not awaited yet: enough to keep the device busy, few enough to keep its queue short. */
const STEPS_AHEAD = 3

interface Pending {
  loss: Promise<number>
  documents: number
  tokens: number
}

/** The training loop: forward, backward, clip the LSTM's gradients, step. */
export class Trainer {
  /** What is trained. */
  readonly model: Classifier
  /** What steps it. */
  readonly optimizer: Adam | SGD
  readonly #options: TrainingOptions
  readonly #rules: Rules
  #position: TrainerPosition = {
    ...{ epoch: 0, step: 0, lossSum: 0, weight: 0, tokens: 0, seconds: 0, way: '', history: [] },
    epochStart: { tokens: 0, seconds: 0 },
  }
  /** Issued, and not part of the position yet. */
  readonly #pending: Pending[] = []

  /** @throws PackedRnnError ERR_OUT_OF_RANGE for a bad rate or momentum. */
  constructor(model: Classifier, options: TrainingOptions) {
    const { optimizer, rules = rulesOf('batched', 'fixed') } = options
    this.model = model
    this.#options = options
    this.#rules = rules
    const parameters = rules.trainsAll ? model.parameters() : model.lstm.parameters()
    this.optimizer =
      optimizer.kind === 'sgd'
        ? new SGD(parameters, { lr: optimizer.lr, momentum: optimizer.momentum })
        : new Adam(parameters, { lr: optimizer.lr })
  }

  /** The epochs that are over. */
  get history(): readonly EpochFigures[] {
    return this.#position.history
  }

  /**
   * Trains until `epochs` are over, and tells after each step how far it is; after `restore` it goes on from there.
   * Between steps the event loop is free.
   *
   * @throws PackedRnnError of the data or of a device that failed; the signal's reason when it is aborted.
   */
  async *fit(data: LabelledDocuments, options: FitOptions): AsyncGenerator<TrainingProgress, void, void> {
    const { epochs, signal, ...order } = options
    checkInteger('fit', 'epochs', epochs, 1)
    const batches = new Batches(data, { ...order, batchSize: this.#options.batchSize })
    const position = this.#position
    const way = JSON.stringify({
      documents: data.documents.length,
      batchSize: this.#options.batchSize,
      ...order,
    })
    if (position.step + this.#pending.length > 0 && position.way !== way) {
      throw badArgument('fit', 'options', `those of the epoch that was begun, ${position.way}`, way)
    }
    position.way = way
    const start = performance.now() - position.seconds * 1000
    const clock = () => (performance.now() - start) / 1000
    this.model.train()
    while (position.epoch < epochs) {
      const current = batches.epoch(position.epoch)
      let done = position.step + this.#pending.length
      for (const batch of current) {
        if (done-- > 0) continue
        signal?.throwIfAborted()
        this.#issue(batch)
        if (this.#pending.length > STEPS_AHEAD) yield await this.#advance(epochs, current, clock)
      }
      while (this.#pending.length > 0) {
        signal?.throwIfAborted()
        yield await this.#advance(epochs, current, clock)
      }
      // A state may have been taken when only the last losses of an epoch were missing.
      if (position.step === current.steps) endEpoch(position)
    }
  }

  #issue(batch: Batch): void {
    const loss = this.step(batch)
    const { ids, labels } = batch
    const value = loss.item()
    // Whoever waits for it hears of its failure; after an earlier failure nobody does.
    value.catch(() => {})
    this.#pending.push({ loss: value, documents: labels.length, tokens: ids.sequences.rows })
    loss.dispose()
  }

  /** Waits for the oldest step that was issued, and moves the position past it. */
  async #advance(epochs: number, { steps, tokens }: { steps: number; tokens: number }, clock: () => number) {
    const position = this.#position
    const [oldest] = this.#pending
    let value: number
    try {
      value = await oldest!.loss
    } catch (error) {
      // What was issued after a step that failed counts as little as it does.
      this.#pending.length = 0
      throw error
    }
    this.#pending.shift()
    const stepLoss = this.#rules.reduction === 'sum' ? value / oldest!.documents : value
    this.#count(position, oldest!, value)
    position.seconds = clock()
    // The epochs to come are taken to be as long as this one.
    const remaining = position.epochStart.tokens + (epochs - position.epoch) * tokens - position.tokens
    const progress: TrainingProgress = {
      epoch: position.epoch + 1,
      epochs,
      step: position.step,
      steps,
      stepLoss,
      loss: position.lossSum / position.weight,
      tokens: position.tokens,
      tokensPerSecond: position.tokens / position.seconds,
      elapsedSeconds: position.seconds,
      remainingSeconds: (remaining * position.seconds) / position.tokens,
    }
    if (position.step === steps) endEpoch(position)
    return progress
  }

  /** Counts a step, whose loss tensor had this value. */
  #count(position: TrainerPosition, { documents, tokens }: Pending, value: number): void {
    const { reduction, weighsDocuments } = this.#rules
    const mean = reduction === 'sum' ? value / documents : value
    const weight = weighsDocuments ? documents : 1
    position.lossSum += mean * weight
    position.weight += weight
    position.tokens += tokens
    position.step++
  }

  /**
   * One step on a batch.
   * @returns the mean, or by the rules the sum, of its losses before the step.
   * @throws PackedRnnError ERR_OUT_OF_RANGE for an id or a label outside.
   */
  step({ ids, labels }: Batch): Tensor<'float32', 0> {
    const { reduction, stepsOnRest } = this.#rules
    return scope(() => {
      const loss = crossEntropy(this.model.forward(ids), labels, { reduction })
      loss.backward()
      if (stepsOnRest || labels.length === this.#options.batchSize) {
        clipGradNorm(this.model.lstm.parameters(), this.#options.clip)
        this.optimizer.step()
      }
      this.model.zeroGrad()
      return loss
    })
  }

  /**
   * All that was issued so far, for `restore`. May be asked for between two events of `fit`.
   * @throws PackedRnnError (rejects) with the failure of a step that is part of it.
   */
  async state(): Promise<TrainerState> {
    // What is read here is read in the device's order: after the steps that were issued, before any other.
    const pending = [...this.#pending]
    const position = structuredClone(this.#position)
    const masks = this.model.lstm.masks.step
    const reads = Promise.all([this.model.stateDict(), this.optimizer.stateDict()])
    const [[model, optimizer], losses] = await Promise.all([
      reads,
      Promise.all(pending.map(({ loss }) => loss)),
    ])
    for (const [i, step] of pending.entries()) this.#count(position, step, losses[i]!)
    return { position, masks, model, optimizer }
  }

  /**
   * Goes back to a state, of a trainer with the same model and options.
   * @throws PackedRnnError ERR_INVALID_ARGUMENT or ERR_SHAPE where it is another's.
   */
  restore({ position, masks, model, optimizer }: TrainerState): void {
    this.model.loadStateDict(model)
    // `loadStateDict` checks that the groups are of its own kind.
    const { groups, tensors } = optimizer
    if (this.optimizer instanceof Adam) {
      this.optimizer.loadStateDict({ groups: groups as AdamState['groups'], tensors })
    } else {
      this.optimizer.loadStateDict({ groups: groups as SgdState['groups'], tensors })
    }
    this.model.lstm.masks.step = masks
    this.#position = structuredClone(position)
    this.#pending.length = 0
  }
}

function endEpoch(position: TrainerPosition): void {
  const { lossSum, weight, tokens, seconds, epochStart, history } = position
  const spent = seconds - epochStart.seconds
  history.push({
    loss: lossSum / weight,
    seconds: spent,
    tokensPerSecond: (tokens - epochStart.tokens) / spent,
  })
  Object.assign(position, { epoch: position.epoch + 1, step: 0, lossSum: 0, weight: 0 })
  position.epochStart = { tokens, seconds }
}
