import { noGrad } from '../autograd.js'
import { checkInteger, checkNumber, checkOptions, checkWord, type OptionNames } from '../check.js'
import type { DecodeStep } from '../decoding/index.js'
import { badArgument } from '../errors.js'
import {
  type AttentionScore,
  Linear,
  LstmOutput,
  MaskCounter,
  Module,
  type ModuleOptions,
  type RecurrentOutput,
} from '../nn/index.js'
import { moduleNames } from '../nn/module.js'
import { packedRows } from '../ops/rows.js'
import { type PackedIds, PackedSequence } from '../packed.js'
import { Generator } from '../random.js'
import { scope } from '../scope.js'
import type { Matrix, Tensor } from '../tensor.js'
import { Bridge } from './bridge.js'
import { type DecoderState, swapped } from './decoderCell.js'
import { type DecoderKind, decoderKinds, decoderOf } from './decoderKinds.js'
import type { Decoder, Memory } from './decoders.js'
import { type CellKind, Encoder } from './encoder.js'
import { checkInitial, drawNormal, type Initial, initialise } from './initial.js'
import { outputRows } from './outputRows.js'
import { keptRows, stepwise } from './stepwise.js'

/** The layers of an encoder and a decoder. */
export interface Seq2SeqLayers {
  /** Of both; default 'gru'. */
  cell?: CellKind
  /** E, of both. */
  embeddingDim: number
  /** H of each direction of the encoder, and of the decoder. */
  hiddenSize: number
  /** L of both; default 1. */
  numLayers?: number
  /** Whether the encoder reads in both directions; default false. */
  bidirectional?: boolean
  /** The probability that a number of a word, or between layers, is dropped while training; default 0. */
  dropout?: number
  /**
   * How the decoder reads the source; default 'bahdanau'. 'plain': by its first state. 'context': by the encoder's last state at
   * every step. 'bahdanau' and 'luong': by attention before and after the cell. 'tutorial': as PyTorch's tutorial did until 2023.
   */
  decoder?: DecoderKind
  /** The score of the attention; default 'additive', for 'luong' 'general', for 'tutorial' 'location'. */
  score?: AttentionScore
  /** Of the score 'location': words of the longest source that it accepts; a longer one throws. Default 100. */
  maxLength?: number
  /** Of 'bahdanau': whether the output layer reads [s; c; E y] rather than the state s; default true. */
  deepOutput?: boolean
  /** Of 'luong': whether each step also reads the attentional vector h̃ of the step before; default true. */
  inputFeeding?: boolean
  /**
   * Whether the output layer shares the decoder's word vectors (Press and Wolf 2017); default false. They then start normal with
   * a standard deviation of 1/√E, unless `initial` says otherwise.
   */
  tied?: boolean
  /** How parameters start; default as those of `nn.Embedding`, `nn.GRU`, `nn.Linear` and so on. */
  initial?: Initial
}

/** Layers, and the number of words. */
export interface Seq2SeqOptions extends Seq2SeqLayers, ModuleOptions {
  /** V of the source. */
  sourceVocabularySize: number
  /** V of the target, marks of begin and end included. */
  targetVocabularySize: number
}

const layerNames: OptionNames<Seq2SeqLayers> = {
  cell: true,
  embeddingDim: true,
  hiddenSize: true,
  numLayers: true,
  bidirectional: true,
  dropout: true,
  decoder: true,
  score: true,
  maxLength: true,
  deepOutput: true,
  inputFeeding: true,
  tied: true,
  initial: true,
}
const names: OptionNames<Seq2SeqOptions> = {
  ...moduleNames,
  ...layerNames,
  sourceVocabularySize: true,
  targetVocabularySize: true,
}

/** Options of `Seq2Seq.forward`. */
export interface Seq2SeqForwardOptions {
  /**
   * The probability that a step reads the target's word rather than the one that the model found most likely, drawn once a step
   * for all sentences (Williams and Zipser 1989); default 1.
   */
  teacherForcing?: number
}

/** A step of a translation, for `greedy`, `sample` and `beamSearch`, and the state that it begins with. */
export interface Decoding {
  /** A row for each sentence. */
  state: DecoderState
  /** Reads the last word of each hypothesis; see packed-rnn/decoding. */
  readonly step: DecodeStep<DecoderState>
}

/**
 * An encoder that reads a sentence, and a decoder that writes another one (Sutskever et al. 2014; Cho et al. 2014), with the
 * attention of Bahdanau et al. (2015), of Luong et al. (2015), or without. Sentences are packed: nothing is padded, and
 * finished sentences are dropped from later steps.
 *
 * @example
 * ```ts
 * import { packIds } from 'packed-rnn'
 * import { Seq2Seq } from 'packed-rnn/models'
 *
 * const sizes = { sourceVocabularySize: 9, targetVocabularySize: 7, embeddingDim: 4, hiddenSize: 8 }
 * const model = new Seq2Seq({ ...sizes, bidirectional: true })
 * const logits = model.forward(packIds([[2, 3, 4], [5]]), packIds([[0, 3], [0, 2, 2]]))
 * console.log(logits.data.shape) // [5, 7]
 * ```
 */
export class Seq2Seq extends Module {
  readonly encoder: Encoder
  /** Maps the encoder's last state to the decoder's first; null if the state is passed unchanged. */
  readonly bridge: Bridge | null
  readonly decoder: Decoder
  /** From the decoder's features to the word vectors' width; null unless `tied` needs it. */
  readonly project: Linear | null
  /** From features to logits. */
  readonly output: Linear
  /** Counts the forward passes: each draws which of its steps read the target's words. */
  readonly forcing: MaskCounter
  /** The options of its layers. */
  readonly layers: Seq2SeqLayers

  /**
   * @throws PackedRnnError ERR_OUT_OF_RANGE for a size below 1 or a probability outside [0, 1]; ERR_INVALID_ARGUMENT for an
   * unknown decoder, score or option.
   */
  constructor(options: Seq2SeqOptions) {
    const op = 'Seq2Seq'
    checkOptions(op, options, names)
    super(options)
    const { sourceVocabularySize, targetVocabularySize, device: _, generator: __, ...layers } = options
    const { embeddingDim, hiddenSize, numLayers = 1, bidirectional = false, dropout = 0 } = layers
    const { cell = 'gru', decoder = 'bahdanau', tied = false, initial = { kind: 'layers' } } = layers
    checkWord(op, 'cell', cell, ['lstm', 'gru'])
    checkWord(op, 'decoder', decoder, decoderKinds)
    checkInitial(op, initial)
    checkInteger(op, 'sourceVocabularySize', sourceVocabularySize, 1)
    checkInteger(op, 'targetVocabularySize', targetVocabularySize, 1)
    const { device, generator } = this
    const common = { device, generator, cell, embeddingDim, hiddenSize, numLayers, dropout }
    this.layers = layers
    this.encoder = new Encoder({ ...common, vocabularySize: sourceVocabularySize, bidirectional })
    const encodedSize = (bidirectional ? 2 : 1) * hiddenSize
    this.bridge = bidirectional ? new Bridge({ ...common, encodedSize }) : null
    this.decoder = decoderOf(decoder, {
      ...layers,
      ...common,
      encodedSize,
      vocabularySize: targetVocabularySize,
    })
    const { featureSize } = this.decoder
    const projects = tied && featureSize !== embeddingDim
    const inFeatures = tied ? embeddingDim : featureSize
    this.project = projects
      ? new Linear({ device, generator, inFeatures: featureSize, outFeatures: embeddingDim })
      : null
    this.output = new Linear({ device, generator, inFeatures, outFeatures: targetVocabularySize })
    if (tied) {
      this.output.weight.dispose()
      if (initial.kind === 'layers')
        drawNormal(this.decoder.embedding.weight, embeddingDim ** -0.5, generator)
      this.output.weight = this.decoder.embedding.weight
    }
    this.forcing = new MaskCounter(generator)
    initialise(this, initial, generator)
  }

  /**
   * Returns logits of the next word, at every word of the target.
   *
   * @param source words of B sentences.
   * @param target B sentences, each with the mark of its begin and without that of its end.
   * @returns a row [V] for each word of `target`.
   * @throws PackedRnnError ERR_SHAPE for another number of sentences; ERR_OUT_OF_RANGE for an id of V or more.
   */
  forward(source: PackedIds, target: PackedIds, options: Seq2SeqForwardOptions = {}): PackedSequence {
    const { logits, places } = this.score(source, target, options)
    if (places === null) return new PackedSequence(logits, target.sequences)
    const order = new Int32Array(places.length)
    for (const [row, place] of places.entries()) order[place] = row
    return new PackedSequence(keptRows(logits, order), target.sequences)
  }

  /**
   * `forward`, with the rows in the order in which the decoder made them: for a loss, which may order its labels instead.
   *
   * @returns `logits` [N, V]; `places`, for each row its word of `target`, or null if the rows are in the order of the words.
   * @throws PackedRnnError as `forward`.
   */
  score(
    source: PackedIds,
    target: PackedIds,
    options: Seq2SeqForwardOptions = {},
  ): { logits: Matrix; places: Int32Array | null } {
    const op = 'Seq2Seq.forward'
    checkOptions(op, options, { teacherForcing: true })
    const { teacherForcing = 1 } = options
    checkNumber(op, 'teacherForcing', teacherForcing, 0, 1)
    const [wanted, got] = [source.sequences.batchSize, target.sequences.batchSize]
    if (wanted !== got) throw badArgument(op, 'target', `${wanted} sentences`, got, 'ERR_SHAPE')
    const { decoder, output } = this
    const draw = this.forcing.next()
    const { memory, state } = this.encode(source)
    if (teacherForcing === 1) {
      const words = decoder.dropout.forward(decoder.embedding.forward(target))
      const features = decoder.whole(words, state, memory)?.data
      if (features !== undefined) return { logits: this.logits(features), places: null }
    }
    const draws = new Generator(draw.seed, draw.step)
    const forced = Array.from({ length: target.sequences.longest() }, (_, t) => {
      return t === 0 || draws.uniform() < teacherForcing
    })
    const steps = stepwise(this, target, forced, state, memory)
    const places = Int32Array.from(steps.flatMap(step => [...step.places]))
    return { logits: outputRows(output, steps), places }
  }

  /** What the decoder reads of the source, and its first state, a row for each sentence. */
  encode(source: PackedIds): { memory: Memory; state: DecoderState } {
    const encoded = this.encoder.forward(source)
    const summary = encoded.lastHidden()
    const memory = { attention: this.decoder.remember(encoded.output), summary }
    return { memory, state: this.decoder.start(...this.#first(encoded, summary)) }
  }

  #first(encoded: RecurrentOutput, summary: Matrix): [Tensor<'float32', 3>, Tensor<'float32', 3> | null] {
    if (this.bridge !== null) return this.bridge.forward(encoded, summary)
    const { hN } = encoded
    return [swapped(hN), encoded instanceof LstmOutput ? swapped(encoded.cN) : null]
  }

  /**
   * The weights of the attention while the decoder reads given translations, in evaluation mode: how much each word of the target
   * looks at each word of the source.
   *
   * @param target as of `forward`.
   * @returns for each sentence a row for each word of the target and a column for each of the source, row-major; null for a
   * decoder without attention.
   */
  async alignment(source: PackedIds, target: PackedIds): Promise<Float32Array[] | null> {
    if (!this.decoder.attends) return null
    const forced = new Array<boolean>(target.sequences.longest()).fill(true)
    return scope(async () => {
      const { training } = this
      this.eval()
      const steps = noGrad(() => {
        const { memory, state } = this.encode(source)
        return stepwise(this, target, forced, state, memory, true)
      })
      this.train(training)
      const columns = source.sequences.lengths()
      const found = Array.from(columns, (n, b) => new Float32Array(n * target.sequences.length(b)))
      const values = await Promise.all(steps.map(({ weights }) => weights!.toArray()))
      for (const [t, { sequences }] of steps.entries()) {
        let at = 0
        for (const [b, n] of columns.entries()) {
          if (sequences.length(b) === 0) continue
          found[b]!.set(values[t]!.subarray(at, at + n), t * n)
          at += n
        }
      }
      return found
    })
  }

  /** Logits [.., V] of features [.., F]. */
  logits(features: Matrix): Matrix {
    return this.output.forward(this.project ? this.project.forward(features) : features)
  }

  /**
   * Encodes sentences for `greedy`, `sample` and `beamSearch` of packed-rnn/decoding. Call it in evaluation mode and in a `scope`,
   * which frees the encoded sentences at its end.
   *
   * @param options `weights`: whether each step returns the weights of its attention; default false.
   */
  decoding(source: PackedIds, options: { weights?: boolean } = {}): Decoding {
    checkOptions('Seq2Seq.decoding', options, { weights: true })
    const { weights = false } = options
    const { decoder } = this
    const { memory, state } = noGrad(() => this.encode(source))
    const step: Decoding['step'] = (last, before) => {
      const { sequences } = last
      const words = decoder.dropout.forward(decoder.embedding.forward(last))
      const made = decoder.step({ words: packedRows(words), sequences, state: before, memory, weights })
      const result = { logits: this.logits(made.features), state: made.state }
      return made.weights === null ? result : { ...result, attention: made.weights }
    }
    return { state, step }
  }
}
