import { checkInstance, checkInteger, checkOptions, checkWord, type OptionNames } from '../check.js'
import { badArgument, PackedRnnError } from '../errors.js'
import { crossEntropy } from '../ops/loss.js'
import { Adam, clipGradNorm, SGD } from '../optim/index.js'
import { scope } from '../scope.js'
import type { Tensor } from '../tensor.js'
import {
  type Batch,
  Batches,
  type BatchesOptions,
  type Epoch,
  type LabelledDocuments,
  orderNames,
} from '../text/batches.js'
import { Classifier } from './classifier.js'
import { argmaxRows, countRight, evaluate } from './evaluate.js'
import { nonFiniteRules, type OnNonFinite, placeOf, refuseNonFinite } from './nonFinite.js'
import { adamNames, type Preset, presetNames, sgdNames } from './presets.js'
import type { TrainingProgress } from './progress.js'
import type { EpochRecord } from './record.js'
import { type Rules, ruleNames, rulesOf } from './rules.js'
import type { AdamState, EpochSums, SgdState, TrainerPosition, TrainerState } from './trainerState.js'

/** How a model is trained. */
export interface TrainingOptions extends Pick<Preset, 'optimizer' | 'clip' | 'batchSize'> {
  /** What a step is; default the fixed batched loop's. */
  rules?: Rules
  /**
   * What happens where the loss or a gradient of a step is NaN or infinite. `'throw'`, the default, and `'skip'` leave the
   * parameters and the optimiser as they were; then `fit` rejects with ERR_NON_FINITE, naming epoch, step and parameter,
   * or goes on and tells in `TrainingProgress.skipped`. Up to three steps behind one that throws are issued already, and
   * are made where their own numbers are finite. `'ignore'` looks for nothing and steps along, as PyTorch does.
   */
  onNonFinite?: OnNonFinite
}

/** How the documents are put into batches, besides their size, and how often. */
export interface FitOptions extends Omit<BatchesOptions, 'batchSize'> {
  epochs: number
  /**
   * Documents to test the model on at the end of every so many epochs, for the epoch's record. It changes no bit of the
   * training, and its time does not count.
   */
  test?: { data: LabelledDocuments; every: number }
  /** Ends the run before the next step; the iterator then throws the signal's reason. */
  signal?: AbortSignal
}

const fitNames: OptionNames<FitOptions> = { ...orderNames, epochs: true, test: true, signal: true }

const NOTHING: EpochSums = {
  loss: 0,
  weight: 0,
  documents: 0,
  right: 0,
  skipped: 0,
  gradNorm: 0,
  largestGradNorm: 0,
  learningRate: 0,
}

/** Steps whose figures are not awaited yet: enough to keep the device busy, few enough to keep its queue short. */
const STEPS_AHEAD = 3

interface Pending {
  figures: Promise<StepFigures>
  documents: number
  tokens: number
  learningRate: number
}

/** What a step computes besides new parameters. */
interface StepFigures {
  /** Mean or sum, by the rules. */
  loss: number
  right: number
  gradNorm: number
  /** Where a number was not finite, if that is why the step was left out. */
  skipped: string | null
}

/** The training loop: forward, backward, clip the LSTM's gradients, step. */
export class Trainer {
  /** What is trained. */
  readonly model: Classifier
  /** What steps it. */
  readonly optimizer: Adam | SGD
  readonly #options: TrainingOptions
  readonly #rules: Rules
  readonly #onNonFinite: OnNonFinite
  #position: TrainerPosition = {
    ...{ epoch: 0, step: 0, sums: { ...NOTHING }, tokens: 0, seconds: 0, way: '', history: [] },
    epochStart: { tokens: 0, seconds: 0 },
  }
  /** Issued, and not part of the position yet. */
  readonly #pending: Pending[] = []
  /** Whether a `fit` has begun and not ended. */
  #fits = false

  /**
   * @throws PackedRnnError ERR_OUT_OF_RANGE for a bad rate or momentum; ERR_INVALID_ARGUMENT for another model, kind of
   * optimiser or `onNonFinite`, or an unknown option: a whole `Preset` has none.
   */
  constructor(model: Classifier, options: TrainingOptions) {
    checkTraining(options)
    const { optimizer, rules = rulesOf('batched', 'fixed'), onNonFinite = 'throw' } = options
    checkInstance('Trainer', 'model', model, Classifier)
    checkWord('Trainer', 'onNonFinite', onNonFinite, nonFiniteRules)
    this.model = model
    this.#onNonFinite = onNonFinite
    this.#options = options
    this.#rules = rules
    const trained = rules.trainsAll ? model.parameters() : model.lstm.parameters()
    const parameters = trained.filter(({ requiresGrad }) => requiresGrad)
    this.optimizer =
      optimizer.kind === 'sgd'
        ? new SGD(parameters, { lr: optimizer.lr, momentum: optimizer.momentum })
        : new Adam(parameters, { lr: optimizer.lr })
  }

  /** The epochs that are over. */
  get history(): readonly EpochRecord[] {
    return this.#position.history
  }

  /**
   * Trains until `epochs` are over, and tells after each step how far it is; after `restore` it goes on from there.
   * Between steps the event loop is free. One at a time: it has ended where its loop has, also by a `break`; an iterator that is left
   * without `return()` never ends.
   *
   * @throws PackedRnnError of the data or of a device that failed; ERR_INVALID_ARGUMENT where another one has not ended, or for
   * an unknown option; the signal's reason when it is aborted.
   */
  async *fit(data: LabelledDocuments, options: FitOptions): AsyncGenerator<TrainingProgress, void, void> {
    this.#checkIdle('fit')
    checkOptions('fit', options, fitNames)
    if (options.test !== undefined)
      checkOptions('fit', options.test, { data: true, every: true }, 'options.test')
    this.#fits = true
    try {
      yield* this.#train(data, options)
    } finally {
      this.#fits = false
    }
  }

  /** Two would count the same steps, and what is restored would be lost at the next one. */
  #checkIdle(where: string): void {
    if (this.#fits) throw badArgument(where, 'trainer', 'one that has ended its fit', 'one that is training')
  }

  async *#train(data: LabelledDocuments, options: FitOptions): AsyncGenerator<TrainingProgress, void, void> {
    const { epochs, test, signal, ...order } = options
    checkInteger('fit', 'epochs', epochs, 1)
    if (test !== undefined) checkInteger('fit', 'test.every', test.every, 1)
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
    this.model.train()
    while (position.epoch < epochs) {
      // Started anew with each epoch: what happens between two of them is no training.
      const start = performance.now() - position.seconds * 1000
      const current = batches.epoch(position.epoch)
      const advance = async () => {
        const { stepLoss, skipped } = await this.#advance()
        position.seconds = (performance.now() - start) / 1000
        const progress = { ...this.#progress(stepLoss, epochs, current), skipped }
        if (position.step === current.steps) await this.#endEpoch(test, signal)
        return progress
      }
      let done = position.step + this.#pending.length
      for (const batch of current) {
        if (done-- > 0) continue
        signal?.throwIfAborted()
        this.#issue(batch)
        if (this.#pending.length > STEPS_AHEAD) yield await advance()
      }
      while (this.#pending.length > 0) {
        signal?.throwIfAborted()
        yield await advance()
      }
      // A state may have been taken when only an epoch's last figures, or its test, were missing.
      if (position.step === current.steps) await this.#endEpoch(test, signal)
    }
  }

  #issue(batch: Batch): void {
    const { loss, logits, gradNorm, places } = this.#step(batch)
    const { ids, labels } = batch
    const { epoch, step } = this.#position
    const name = `epoch ${epoch + 1}, step ${step + this.#pending.length + 1}`
    const norm = gradNorm.item().then(
      value => ({ gradNorm: value, skipped: null }),
      error => ({ gradNorm: Number.NaN, skipped: this.#refused(name, error, places) }),
    )
    // All asked for before the first is there: the device's queue holds three reads, and waits once.
    const figures = Promise.all([loss.item(), logits.toArray(), norm]).then(([loss, logits, norm]) => ({
      loss,
      right: countRight(argmaxRows(logits, labels.length), labels),
      ...norm,
    }))
    // Whoever waits for it hears of its failure; after an earlier failure nobody does.
    figures.catch(() => {})
    const learningRate = this.optimizer.groups[0]!.lr
    this.#pending.push({ figures, documents: labels.length, tokens: ids.sequences.rows, learningRate })
    for (const tensor of [loss, logits, gradNorm]) tensor.dispose()
  }

  /** What is told of a step whose gradients failed. @throws PackedRnnError, unless it is for their numbers and to be skipped. */
  #refused(step: string, error: unknown, places: readonly string[]): string {
    const what = `${step}: wanted finite numbers, got others in ${placeOf(error, places)}`
    if (this.#onNonFinite === 'skip') return what
    throw new PackedRnnError('ERR_NON_FINITE', `fit: ${what}`, { cause: error })
  }

  /** Waits for the oldest step that was issued, and moves the position past it. */
  async #advance(): Promise<{ stepLoss: number; skipped: string | null }> {
    const [oldest] = this.#pending
    let figures: StepFigures
    try {
      figures = await oldest!.figures
    } catch (error) {
      // What was issued after a step that failed counts as little as it does.
      this.#pending.length = 0
      throw error
    }
    this.#pending.shift()
    return { stepLoss: this.#count(this.#position, oldest!, figures), skipped: figures.skipped }
  }

  #progress(stepLoss: number, epochs: number, { steps, tokens }: Epoch) {
    const position = this.#position
    // The epochs to come are taken to be as long as this one.
    const remaining = position.epochStart.tokens + (epochs - position.epoch) * tokens - position.tokens
    return {
      epoch: position.epoch + 1,
      epochs,
      step: position.step,
      steps,
      stepLoss,
      loss: position.sums.loss / position.sums.weight,
      tokens: position.tokens,
      tokensPerSecond: position.tokens / position.seconds,
      elapsedSeconds: position.seconds,
      remainingSeconds: (remaining * position.seconds) / position.tokens,
    }
  }

  /** Counts a step and gives its mean loss. */
  #count(position: TrainerPosition, step: Pending, figures: StepFigures): number {
    const { reduction, weighsDocuments } = this.#rules
    const { documents, tokens, learningRate } = step
    const { loss, right, gradNorm, skipped } = figures
    const { sums } = position
    const mean = reduction === 'sum' ? loss / documents : loss
    sums.learningRate = learningRate
    position.tokens += tokens
    position.step++
    if (skipped !== null) {
      sums.skipped++
      return mean
    }
    const weight = weighsDocuments ? documents : 1
    sums.loss += mean * weight
    sums.weight += weight
    sums.documents += documents
    sums.right += right
    sums.gradNorm += gradNorm
    sums.largestGradNorm = Math.max(sums.largestGradNorm, gradNorm)
    return mean
  }

  /** Tests the model where that is due, and records the epoch. The position is past its last step. */
  async #endEpoch(test: FitOptions['test'], signal: AbortSignal | undefined): Promise<void> {
    const position = this.#position
    const { sums, step, tokens, seconds, epochStart, history } = position
    const epoch = position.epoch + 1
    const due = test !== undefined && epoch % test.every === 0
    const tested = due ? await this.#test(test.data, signal) : null
    const spent = seconds - epochStart.seconds
    history.push({
      epoch,
      steps: (history.at(-1)?.steps ?? 0) + step,
      loss: sums.loss / sums.weight,
      accuracy: sums.right / sums.documents,
      gradNorm: { mean: sums.gradNorm / (step - sums.skipped), largest: sums.largestGradNorm },
      learningRate: sums.learningRate,
      test: tested,
      seconds: spent,
      tokensPerSecond: (tokens - epochStart.tokens) / spent,
    })
    Object.assign(position, { epoch, step: 0, sums: { ...NOTHING }, epochStart: { tokens, seconds } })
  }

  async #test(data: LabelledDocuments, signal: AbortSignal | undefined) {
    const dropout = this.#rules.dropsInEvaluation
    const { loss, predicted } = await evaluate(this.model, data, { dropout, ...(signal && { signal }) })
    return { loss, accuracy: countRight(predicted, data.labels) / data.labels.length }
  }

  /**
   * One step on a batch. Where a number of it is not finite it changes nothing, unless `onNonFinite` is 'ignore', and
   * `device.synchronize()` rejects with ERR_NON_FINITE.
   * @returns the mean, or by the rules the sum, of its losses before the step.
   * @throws PackedRnnError ERR_OUT_OF_RANGE for an id or a label outside.
   */
  step(batch: Batch): Tensor<'float32', 0> {
    const { loss, logits, gradNorm } = this.#step(batch)
    logits.dispose()
    gradNorm.dispose()
    return loss
  }

  #step({ ids, labels }: Batch) {
    const { reduction, stepsOnRest } = this.#rules
    return scope(() => {
      const logits = this.model.forward(ids)
      const loss = crossEntropy(logits, labels, { reduction })
      loss.backward()
      const places = this.#onNonFinite === 'ignore' ? [] : refuseNonFinite(this.model, loss)
      // Also where no step is made of it, for its norm.
      const gradNorm = clipGradNorm(this.model.lstm.parameters(), this.#options.clip)
      if (stepsOnRest || labels.length === this.#options.batchSize) this.optimizer.step()
      this.model.zeroGrad()
      return { loss, logits, gradNorm, places }
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
    const [[model, optimizer], figures] = await Promise.all([
      reads,
      Promise.all(pending.map(step => step.figures)),
    ])
    for (const [i, step] of pending.entries()) this.#count(position, step, figures[i]!)
    return { position, masks, model, optimizer }
  }

  /**
   * Goes back to a state, of a trainer with the same model and options.
   * @throws PackedRnnError ERR_INVALID_ARGUMENT or ERR_SHAPE where it is another's; ERR_INVALID_ARGUMENT where a `fit` has not
   * ended.
   */
  restore({ position, masks, model, optimizer }: TrainerState): void {
    this.#checkIdle('restore')
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

function checkTraining(options: TrainingOptions): void {
  const op = 'Trainer'
  checkOptions(op, options, { ...presetNames, rules: true, onNonFinite: true })
  const { optimizer, rules } = options
  if (rules !== undefined) checkOptions(op, rules, ruleNames, 'options.rules')
  checkOptions(op, optimizer, sgdNames, 'options.optimizer')
  checkWord(op, 'optimizer.kind', optimizer.kind, ['sgd', 'adam'])
  if (optimizer.kind === 'adam') checkOptions(op, optimizer, adamNames, 'options.optimizer')
}
