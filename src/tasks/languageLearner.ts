import { checkInteger, checkNumber, checkOptions } from '../check.js'
import { beamSearch, sample } from '../decoding/index.js'
import { badArgument, badFile } from '../errors.js'
import { readWhole } from '../files/read.js'
import { fastaiLanguageModel } from '../formats/fastai.js'
import { readPickle } from '../formats/pickle.js'
import { readTorchFile } from '../formats/torch.js'
import { LanguageModel, type LanguageModelLayers } from '../models/languageModel.js'
import { languagePresets } from '../models/languagePresets.js'
import { transferRows } from '../models/transfer.js'
import type { Module, Parameter } from '../nn/index.js'
import { AdamW, OneCycle } from '../optim/index.js'
import { Generator } from '../random.js'
import { fastaiTokens, withoutSpecials } from '../text/fastaiRules.js'
import { evaluate } from '../training/evaluation.js'
import type { EpochRecord, Metrics } from '../training/record.js'
import { Trainer } from '../training/trainer.js'
import { LanguageModeling } from './languageModeling.js'
import {
  type BeamSearchTextOptions,
  beamNames,
  type FitOneCycleOptions,
  type FitOptions,
  fitNames,
  type LearnerOptions,
  type LearningRate,
  learnerNames,
  type PredictWordsOptions,
  predictNames,
} from './learnerOptions.js'
import { readPrompt } from './prompt.js'
import type { TextLMDataBunch } from './textDataBunch.js'

/** α and β of fast.ai's `RNNTrainer`. */
const PENALTIES = { activation: 2, temporal: 1 }

/**
 * Returns a learner with a new AWD-LSTM, as fast.ai's `language_model_learner`. Load pretrained weights with `loadPretrained`.
 *
 * @throws PackedRnnError ERR_OUT_OF_RANGE or ERR_INVALID_ARGUMENT for an invalid or unknown option.
 *
 * @example
 * ```ts
 * import { manualSeed } from 'packed-rnn'
 * import { languageModelLearner, TextLMDataBunch } from 'packed-rnn/tasks'
 *
 * manualSeed(1)
 * const data = TextLMDataBunch.fromTexts(Array(20).fill('the cat sat on the mat'), { batchSize: 2, bptt: 7 })
 * const learner = languageModelLearner(data, { dropMult: 0, layers: { embeddingDim: 16, hiddenSize: 16, numLayers: 1 } })
 * await learner.fitOneCycle(20, 0.1)
 * console.log(await learner.predict('the cat', 2, { temperature: 0.1 })) // the cat sat on
 * ```
 */
export function languageModelLearner(data: TextLMDataBunch, options: LearnerOptions = {}): LanguageLearner {
  return new LanguageLearner(data, options)
}

/**
 * Trains a language model and writes texts with it, by fast.ai's names. `languageModelLearner` makes one.
 *
 * @example
 * ```ts
 * import { LanguageLearner, TextLMDataBunch } from 'packed-rnn/tasks'
 *
 * const data = TextLMDataBunch.fromTexts(Array(20).fill('the cat sat on the mat'), { batchSize: 2, bptt: 7 })
 * const learner = new LanguageLearner(data, { layers: { embeddingDim: 8, hiddenSize: 8, numLayers: 2 } })
 * learner.freezeTo(-1)
 * console.log(learner.groups.map(group => group.every(each => each.requiresGrad))) // [false, false, true]
 * ```
 */
export class LanguageLearner {
  readonly data: TextLMDataBunch
  /** The parameters of each group: a group for each LSTM, then the word vectors and the output layer. */
  groups: readonly (readonly Parameter[])[]
  #model: LanguageModel
  readonly #options: LearnerOptions
  /** Epochs of all fits, so that each has its own order. */
  #epochs = 0

  /** @throws PackedRnnError as `languageModelLearner`. */
  constructor(data: TextLMDataBunch, options: LearnerOptions = {}) {
    const op = 'languageModelLearner'
    checkOptions(op, options, learnerNames)
    const { dropMult = 1 } = options
    checkNumber(op, 'dropMult', dropMult, 0)
    this.data = data
    this.#options = options
    this.#model = this.#newModel({})
    this.groups = groupsOf(this.#model)
  }

  /** The language model. `loadPretrained` replaces it. */
  get model(): LanguageModel {
    return this.#model
  }

  #newModel(sizes: Partial<LanguageModelLayers>): LanguageModel {
    const { dropMult = 1, layers, device, generator } = this.#options
    const { dropout, ...rest } = { ...languagePresets['fastai-v1'].layers, ...layers, ...sizes }
    const scaled = Object.entries(dropout ?? {}).map(([name, p = 0]) => [name, p * dropMult])
    return new LanguageModel({
      ...rest,
      dropout: Object.fromEntries(scaled),
      vocabularySize: this.data.vocabulary.itos.length,
      ...(device && { device }),
      ...(generator && { generator }),
    })
  }

  /**
   * Loads the weights of a fast.ai language model and the words of its rows, such as `fwd_wt103.h5` and `itos_wt103.pkl`. Rows go to the
   * words of the data; a word that is not in the old vocabulary gets the mean of all rows. The model takes the sizes of the file. Then all
   * groups but the last are frozen.
   *
   * @throws PackedRnnError (rejects) ERR_FILE_FORMAT, naming the file; ERR_INVALID_ARGUMENT if one cannot be read; ERR_SHAPE for a
   * vocabulary of another size.
   */
  async loadPretrained(weights: string, itos: string): Promise<void> {
    const words = readPickle(await readWhole(itos), itos)
    if (!Array.isArray(words) || !words.every(word => typeof word === 'string')) {
      throw badFile(itos, null, 'a list of strings', words)
    }
    const { tensors } = await readTorchFile(weights)
    const { parameters, embeddingDim, hiddenSize, numLayers } = fastaiLanguageModel(tensors, weights)
    // fast.ai 0.7 writes its specials with underscores.
    const from = words.map(word => olderSpecials.get(word) ?? word)
    for (const name of ['embedding.weight', 'output.bias']) {
      parameters.set(name, transferRows(parameters.get(name)!, from, this.data.vocabulary.itos))
    }
    const model = this.#newModel({ embeddingDim, hiddenSize, numLayers, tied: true, bias: true })
    try {
      model.loadStateDict(parameters)
    } catch (error) {
      model.dispose()
      throw error
    }
    this.#model.dispose()
    this.#model = model
    this.groups = groupsOf(model)
    this.freeze()
  }

  /** Trains the last group alone from now on. */
  freeze(): void {
    this.freezeTo(-1)
  }

  /** Trains all groups from now on. */
  unfreeze(): void {
    this.freezeTo(0)
  }

  /**
   * Trains the groups from number n on, from now on; a negative n counts from the end.
   * @throws PackedRnnError ERR_OUT_OF_RANGE for a group that is not there.
   */
  freezeTo(n: number): void {
    const count = this.groups.length
    checkInteger('LanguageLearner.freezeTo', 'n', n, -count, count - 1)
    const first = n < 0 ? count + n : n
    for (const [i, group] of this.groups.entries()) {
      for (const parameter of group) parameter.requiresGrad = i >= first
    }
  }

  /**
   * Trains with constant rates.
   * @returns the records of the epochs; `test` has the metrics of the validation documents, if there are any.
   * @throws PackedRnnError (rejects) as `Trainer.fit`; ERR_OUT_OF_RANGE or ERR_INVALID_ARGUMENT for an invalid or unknown option.
   */
  async fit(
    epochs: number,
    lr: LearningRate = { to: 3e-3 },
    options: FitOptions = {},
  ): Promise<EpochRecord[]> {
    checkOptions('LanguageLearner.fit', options, { weightDecay: true, signal: true })
    return this.#fit('LanguageLearner.fit', epochs, lr, options, null)
  }

  /** Trains along one cycle of rates and momentums; see `optim.OneCycle`. Returns and throws as `fit`. */
  async fitOneCycle(
    epochs: number,
    maxLr: LearningRate = { to: 3e-3 },
    options: FitOneCycleOptions = {},
  ): Promise<EpochRecord[]> {
    checkOptions('LanguageLearner.fitOneCycle', options, fitNames)
    return this.#fit('LanguageLearner.fitOneCycle', epochs, maxLr, options, options)
  }

  async #fit(
    op: string,
    epochs: number,
    lr: LearningRate,
    { weightDecay = 0.01, signal }: FitOptions,
    cycle: FitOneCycleOptions | null,
  ): Promise<EpochRecord[]> {
    checkInteger(op, 'epochs', epochs, 1)
    const rates = ratesOf(op, lr, this.groups.length)
    const first = this.#epochs
    const inner = this.data.trainLoader()
    const loader = { way: inner.way, epoch: (number: number) => inner.epoch(first + number) }
    const groups = this.groups.map((parameters, i) => ({ parameters, lr: rates[i]! }))
    using optimizer = new AdamW(groups, { betas: [0.9, 0.99], weightDecay })
    // Every epoch has as many batches: only the order of the documents differs.
    const steps = epochs * loader.epoch(0).batches
    const { momentums, divFactor, pctStart } = cycle ?? {}
    const scheduler =
      cycle === null
        ? null
        : new OneCycle(optimizer, {
            steps,
            ...(momentums && { momentums }),
            ...(divFactor !== undefined && { divFactor }),
            ...(pctStart !== undefined && { pctStart }),
          })
    const trainer = new Trainer({
      model: this.model,
      task: new LanguageModeling(this.model, PENALTIES),
      optimizer,
      ...(scheduler && { scheduler }),
    })
    const test = this.data.valid.length === 0 ? null : { loader: this.data.validLoader() }
    const events = trainer.fit(loader, { epochs, ...(test && { test }), ...(signal && { signal }) })
    for await (const { event } of events) if (event === 'epoch') this.#epochs++
    return [...trainer.history]
  }

  /** Returns loss, perplexity and bits of the validation documents. @throws PackedRnnError (rejects) ERR_EMPTY without any. */
  async validate(): Promise<Metrics> {
    return (await evaluate(new LanguageModeling(this.model), this.data.validLoader())).metrics
  }

  /**
   * Continues a text by drawn words, as fast.ai's `predict`.
   *
   * @returns the text with the new words, without the specials of the rules.
   * @throws PackedRnnError (rejects) ERR_OUT_OF_RANGE or ERR_INVALID_ARGUMENT for an invalid or unknown option; the signal's reason.
   */
  async predict(text: string, words = 1, options: PredictWordsOptions = {}): Promise<string> {
    const op = 'LanguageLearner.predict'
    checkOptions(op, options, predictNames)
    const { noUnk = true, temperature = 1, minP = 0, sep = ' ', seed = 0, signal } = options
    checkInteger(op, 'words', words, 0)
    const { vocabulary } = this.data
    const exclude = noUnk ? [vocabulary.id('xxunk')] : []
    using prompt = readPrompt(this.model, this.#ids(text))
    const [found] = await sample(prompt.step, {
      ...{ ...prompt.options, exclude, end: null, maxLength: words },
      ...{ seed, temperature, minProbability: minP },
      ...(signal && { signal }),
    })
    return [text, ...withoutSpecials(vocabulary.words(found!.tokens))].join(sep)
  }

  /**
   * Continues a text by a beam search, as fast.ai's `beam_search`, with its peculiarities unless `fixed` is true. The notebook calls it
   * with 25 words, a temperature of 0.95, `topK: 25` and `beamSz: 250`.
   *
   * @returns the text with the new words, without the specials of the rules.
   * @throws PackedRnnError (rejects) as `predict`.
   */
  async beamSearch(text: string, words: number, options: BeamSearchTextOptions = {}): Promise<string> {
    const op = 'LanguageLearner.beamSearch'
    checkOptions(op, options, beamNames)
    const { noUnk = true, temperature = 1, sep = ' ', seed = 0, signal } = options
    const { topK = 10, beamSz = 1000, fixed = false, lengthPenalty: alpha = 0 } = options
    checkInteger(op, 'words', words, 0)
    checkInteger(op, 'beamSz', beamSz, 1)
    checkNumber(op, 'temperature', temperature, Number.MIN_VALUE)
    if (fixed && options.seed !== undefined) {
      throw badArgument(op, 'seed', 'no seed with `fixed`, which draws nothing', seed)
    }
    const { vocabulary } = this.data
    const ids = this.#ids(text)
    const exclude = noUnk ? [vocabulary.id('xxunk')] : []
    using prompt = readPrompt(this.model, ids, fixed ? temperature : 1)
    const [found] = await beamSearch(prompt.step, {
      ...{ ...prompt.options, exclude, end: fixed ? vocabulary.id('xxbos') : null, maxLength: words },
      ...{ beams: beamSz, nBest: fixed ? 1 : beamSz, topK, lengthPenalty: { alpha: fixed ? alpha : 0 } },
      ...(signal && { signal }),
    })
    const drawn = fixed ? found![0]! : drawnOf(found!, temperature, seed)
    const shown = fixed ? drawn.tokens : [...ids.slice(1), ...drawn.tokens]
    return [text, ...withoutSpecials(vocabulary.words(shown))].join(sep)
  }

  #ids(text: string): Int32Array {
    if (typeof text !== 'string') throw badArgument('LanguageLearner', 'text', 'a text', text)
    return this.data.vocabulary.numericalize(['xxbos', ...fastaiTokens(text)])
  }

  /** Releases the model. */
  dispose(): void {
    this.model.dispose()
  }

  /** Calls `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }
}

/** The specials of fast.ai 0.7, by those of version 1. */
const olderSpecials = new Map([
  ['_unk_', 'xxunk'],
  ['_pad_', 'xxpad'],
])

function groupsOf(model: LanguageModel): Parameter[][] {
  const of = (modules: readonly Module[]) => [...new Set(modules.flatMap(module => module.parameters()))]
  return [...[...model.rnns].map(rnn => of([rnn])), of([model.embedding, model.output])]
}

/** A rate for each of some groups. */
function ratesOf(op: string, lr: LearningRate, count: number): number[] {
  if (typeof lr !== 'number') checkOptions(op, lr, { from: true, to: true }, 'lr')
  const { from, to } = typeof lr === 'number' ? { from: lr, to: lr } : lr
  checkNumber(op, 'lr', to, Number.MIN_VALUE)
  if (from === undefined) return Array.from({ length: count }, (_, i) => (i < count - 1 ? to / 10 : to))
  checkNumber(op, 'lr.from', from, Number.MIN_VALUE)
  if (count === 1) return [to]
  return Array.from({ length: count }, (_, i) => from * (to / from) ** (i / (count - 1)))
}

/** Draws one of some texts, with a probability proportional to exp(log p / T). */
function drawnOf<T extends { logProbability: number }>(
  texts: readonly T[],
  temperature: number,
  seed: number,
): T {
  const logs = texts.map(({ logProbability }) => logProbability / temperature)
  const largest = logs.reduce((most, log) => Math.max(most, log), -Infinity)
  const weights = logs.map(log => Math.exp(log - largest))
  let left = new Generator(seed).uniform() * weights.reduce((sum, weight) => sum + weight, 0)
  for (const [i, text] of texts.entries()) {
    left -= weights[i]!
    if (left < 0) return text
  }
  return texts.at(-1)!
}
