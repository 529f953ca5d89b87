import { checkInteger, checkOptions, type OptionNames } from '../check.js'
import type { DecodeStep } from '../decoding/index.js'
import { badArgument } from '../errors.js'
import {
  Dropout,
  Embedding,
  EmbeddingDropout,
  Linear,
  LockedDropout,
  LSTM,
  LstmState,
  Module,
  ModuleList,
  type ModuleOptions,
  WeightDrop,
} from '../nn/index.js'
import { moduleNames } from '../nn/module.js'
import { PackedIds, type PackedSequence } from '../packed.js'
import { type Matrix, type Tensor, zeros } from '../tensor.js'
import { swapped } from './decoderCell.js'
import { checkInitial, type Initial, initialise } from './initial.js'

/** The probabilities of a language model's dropout; default 0. */
export interface LanguageModelDropout {
  /** Of whole words: all occurrences of a word in a window. */
  words?: number
  /** Of single numbers of the word vectors, after `words`. */
  input?: number
  /** Between layers. */
  hidden?: number
  /** After the last layer. */
  output?: number
  /** Of the recurrent weights (DropConnect). */
  weights?: number
}

/** The layers of a language model. */
export interface LanguageModelLayers {
  /** E */
  embeddingDim: number
  /** H */
  hiddenSize: number
  /** L; default 1. */
  numLayers?: number
  /**
   * Whether the output layer shares the word vectors (Inan et al. 2017; Press and Wolf 2017); default false. The last layer then has
   * E units.
   */
  tied?: boolean
  /** Whether the output layer has a bias; default true. */
  bias?: boolean
  dropout?: LanguageModelDropout
  /** Whether a mask is the same for all tokens of a window (Gal and Ghahramani 2016); default true. */
  locked?: boolean
  /**
   * How parameters start; default: word vectors and the output layer uniform on ±0.1, its bias 0, the layers as `nn.LSTM`
   * (Merity et al. 2018).
   */
  initial?: Initial
}

/** Layers, and the number of words. */
export interface LanguageModelOptions extends LanguageModelLayers, ModuleOptions {
  /** V */
  vocabularySize: number
}

const dropoutNames: OptionNames<LanguageModelDropout> = {
  words: true,
  input: true,
  hidden: true,
  output: true,
  weights: true,
}
const names: OptionNames<LanguageModelOptions> = {
  ...moduleNames,
  vocabularySize: true,
  embeddingDim: true,
  hiddenSize: true,
  numLayers: true,
  tied: true,
  bias: true,
  dropout: true,
  locked: true,
  initial: true,
}

/** Where a text continues: the state of each layer. */
export type LanguageModelState = readonly LstmState[]

/** What `LanguageModel.forward` returns. */
export interface LanguageModelOutput {
  /** What the output layer reads, a row for each token [N, F]. */
  features: PackedSequence
  /** The same before dropout. */
  undropped: PackedSequence
  /** The states after the last token of each sequence. */
  state: LanguageModelState
}

/** The state of a decoder: rows of h and c of each layer, for each hypothesis. */
export type LanguageDecoderState = readonly { h: Tensor<'float32', 3>; c: Tensor<'float32', 3> }[]

/**
 * An LSTM language model with the dropout of AWD-LSTM (Merity et al. 2018): of words, of word vectors, between layers, of the
 * recurrent weights. With plain dropout it is the model of Zaremba et al. (2014).
 *
 * @example
 * ```ts
 * import { packIds } from 'packed-rnn'
 * import { LanguageModel } from 'packed-rnn/models'
 *
 * const model = new LanguageModel({ vocabularySize: 9, embeddingDim: 4, hiddenSize: 8, numLayers: 2, tied: true })
 * const { features, state } = model.forward(packIds([[3, 1, 4], [1, 5, 8]]))
 * console.log(model.logits(features.data).shape, state.length) // [6, 9] 2
 * ```
 */
export class LanguageModel extends Module {
  readonly embedding: Embedding
  readonly words: EmbeddingDropout
  readonly input: Dropout | LockedDropout
  readonly hidden: Dropout | LockedDropout
  /** Dropout after the last layer. */
  readonly last: Dropout | LockedDropout
  /** One layer each. */
  readonly rnns: ModuleList<WeightDrop<LSTM>>
  readonly output: Linear
  /** The options of its layers. */
  readonly layers: LanguageModelLayers

  /** @throws PackedRnnError ERR_OUT_OF_RANGE for a size below 1 or a probability outside [0, 1]; ERR_INVALID_ARGUMENT. */
  constructor(options: LanguageModelOptions) {
    const op = 'LanguageModel'
    checkOptions(op, options, names)
    checkOptions(op, options.dropout ?? {}, dropoutNames, 'dropout')
    super(options)
    const { vocabularySize, device: _, generator: __, ...layers } = options
    const { embeddingDim, hiddenSize, numLayers = 1, tied = false, bias = true, locked = true } = layers
    const { dropout = {}, initial = { kind: 'layers' } } = layers
    checkInitial(op, initial)
    checkInteger(op, 'vocabularySize', vocabularySize, 1)
    checkInteger(op, 'numLayers', numLayers, 1)
    const { device, generator } = this
    const common = { device, generator }
    const droppedBy = (p = 0) =>
      locked ? new LockedDropout({ ...common, p }) : new Dropout({ ...common, p })
    this.layers = layers
    this.embedding = new Embedding({ ...common, numEmbeddings: vocabularySize, embeddingDim })
    this.words = new EmbeddingDropout(this.embedding, { generator, p: dropout.words ?? 0 })
    this.input = droppedBy(dropout.input)
    this.hidden = droppedBy(dropout.hidden)
    this.last = droppedBy(dropout.output)
    const widthOf = (layer: number) => (tied && layer === numLayers - 1 ? embeddingDim : hiddenSize)
    this.rnns = new ModuleList(
      Array.from({ length: numLayers }, (_, layer) => {
        const inputSize = layer === 0 ? embeddingDim : widthOf(layer - 1)
        const lstm = new LSTM({ ...common, inputSize, hiddenSize: widthOf(layer) })
        return new WeightDrop(lstm, { generator, p: dropout.weights ?? 0 })
      }),
    )
    const inFeatures = widthOf(numLayers - 1)
    this.output = new Linear({ ...common, inFeatures, outFeatures: vocabularySize, bias })
    if (tied) {
      this.output.weight.dispose()
      this.output.weight = this.embedding.weight
    }
    if (initial.kind === 'layers') this.#initialise()
    else initialise(this, initial, generator)
  }

  #initialise(): void {
    for (const each of new Set([this.embedding.weight, this.output.weight])) {
      each.assign(Float32Array.from({ length: each.size }, () => this.generator.uniform(-0.1, 0.1)))
    }
    this.output.bias?.assign(new Float32Array(this.output.bias.size))
  }

  /**
   * Reads the next tokens of B texts.
   *
   * @param state where the texts continue; null at their beginning.
   * @throws PackedRnnError ERR_OUT_OF_RANGE for an id of V or more; ERR_SHAPE for the state of another number of texts or layers.
   */
  forward(ids: PackedIds, state: LanguageModelState | null = null): LanguageModelOutput {
    this.#checkState('LanguageModel.forward', state)
    let x: PackedSequence = this.input.forward(this.words.forward(ids))
    let undropped = x
    const after: LstmState[] = []
    for (const [layer, rnn] of [...this.rnns].entries()) {
      const { output, state: reached } = rnn.forward(x, state?.[layer] ?? null)
      after.push(reached)
      undropped = output
      x = (layer === this.rnns.length - 1 ? this.last : this.hidden).forward(output)
    }
    return { features: x, undropped, state: after }
  }

  #checkState(op: string, state: LanguageModelState | null): void {
    if (state === null || state.length === this.rnns.length) return
    throw badArgument(op, 'state', `the states of ${this.rnns.length} layers`, state.length, 'ERR_SHAPE')
  }

  /** Logits [N, V] of features [N, F]. */
  logits(features: Matrix): Matrix {
    return this.output.forward(features)
  }

  /**
   * A step for `greedy`, `sample` and `beamSearch` of packed-rnn/decoding, and the state that it begins with. Call it in evaluation
   * mode.
   *
   * @param texts how many, if there is no state.
   * @param state as `forward` returned it.
   */
  decoding(
    texts: number,
    state: LanguageModelState | null = null,
  ): { state: LanguageDecoderState; step: DecodeStep<LanguageDecoderState> } {
    checkInteger('LanguageModel.decoding', 'texts', texts, 1)
    this.#checkState('LanguageModel.decoding', state)
    const nothing = (rnn: WeightDrop<LSTM>) =>
      zeros([1, texts, rnn.module.hiddenSize], { device: this.device })
    const begin = [...this.rnns].map((rnn, layer) => {
      const { h, c } = state?.[layer] ?? { h: nothing(rnn), c: nothing(rnn) }
      return { h: swapped(h), c: swapped(c) }
    })
    const step: DecodeStep<LanguageDecoderState> = (last, before) => {
      const states = before.map(({ h, c }) => new LstmState(swapped(h), swapped(c)))
      const { features, state: reached } = this.forward(
        new PackedIds(Array.from(last.ids, id => [id])),
        states,
      )
      return {
        logits: this.logits(features.data),
        state: reached.map(({ h, c }) => ({ h: swapped(h), c: swapped(c) })),
      }
    }
    return { state: begin, step }
  }
}
