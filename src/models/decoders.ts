import {
  type AttentionMemory,
  Dropout,
  Embedding,
  type GRU,
  type LSTM,
  Module,
  type ModuleOptions,
} from '../nn/index.js'
import { cat } from '../ops/join.js'
import { packedRows } from '../ops/rows.js'
import { repeatRows } from '../ops/sequences.js'
import { PackedSequence, type Sequences } from '../packed.js'
import type { Matrix, Tensor } from '../tensor.js'
import { type DecoderState, stepOf, swapped } from './decoderCell.js'
import { type CellKind, layersOf } from './encoder.js'

/** The encoder's data that a decoder reads, prepared once for each sentence. */
export interface Memory {
  /** The memory of the attention; null without attention. */
  readonly attention: AttentionMemory | null
  /** The encoder's last state [B, D·H]. */
  readonly summary: Matrix
}

/** The size of a decoder. */
export interface DecoderOptions extends ModuleOptions {
  cell: CellKind
  vocabularySize: number
  embeddingDim: number
  hiddenSize: number
  numLayers: number
  dropout: number
  /** C, the width of the encoder's outputs and of its last state. */
  encodedSize: number
}

/** One step of a decoder. */
export interface DecoderStep {
  /** What the output layer reads [M, F]. */
  features: Matrix
  state: DecoderState
  /** Weights of its attention, if asked for: sequence after sequence, a hypothesis' weights together. */
  weights: Tensor<'float32', 1> | null
}

/** The rows of a step: words [M, E] of the hypotheses that `sequences` assigns to each sentence. */
export interface StepInput {
  words: Matrix
  sequences: Sequences
  state: DecoderState
  memory: Memory
  /** Whether the weights of the attention are returned; default false. */
  weights?: boolean
}

/**
 * Words, recurrent layers and, in most, attention: features for each step of a sentence. `Seq2Seq` makes it.
 *
 * @example
 * ```ts
 * import { Seq2Seq } from 'packed-rnn/models'
 *
 * const sizes = { sourceVocabularySize: 9, targetVocabularySize: 9, embeddingDim: 4, hiddenSize: 8 }
 * const { decoder } = new Seq2Seq(sizes)
 * console.log(decoder.featureSize, decoder.attends) // 20 true
 * ```
 */
export abstract class Decoder extends Module {
  readonly embedding: Embedding
  readonly dropout: Dropout
  readonly rnn: LSTM | GRU
  /** F, the numbers that the output layer reads. */
  abstract readonly featureSize: number

  /** @internal */
  constructor(options: DecoderOptions, inputSize: number) {
    super(options)
    const { cell, vocabularySize, embeddingDim, hiddenSize, numLayers, dropout } = options
    const common = { device: this.device, generator: this.generator }
    this.embedding = new Embedding({ ...common, numEmbeddings: vocabularySize, embeddingDim })
    this.dropout = new Dropout({ ...common, p: dropout })
    const between = numLayers > 1 ? dropout : 0
    this.rnn = layersOf(cell, { ...common, inputSize, hiddenSize, numLayers, dropout: between })
  }

  /** Whether it has attention. */
  get attends(): boolean {
    return false
  }

  /** Words of the longest source that it can read. */
  get longestSource(): number {
    return Infinity
  }

  /** What the decoder needs of the encoder's outputs, prepared once. */
  remember(_encoded: PackedSequence): AttentionMemory | null {
    return null
  }

  /** The state that a decoder begins with, beside h and c. */
  start(h: Tensor<'float32', 3>, c: Tensor<'float32', 3> | null): DecoderState {
    return { h, c, fed: null }
  }

  /** One word of every hypothesis. */
  abstract step(input: StepInput): DecoderStep

  /** All words of every sentence in one call, where no step reads what the one before it found; else null. */
  whole(_words: PackedSequence, _state: DecoderState, _memory: Memory): PackedSequence | null {
    return null
  }
}

/** Reads only its words: all that it knows of the sentence is its first state (Sutskever et al. 2014). */
export class PlainDecoder extends Decoder {
  readonly featureSize: number

  constructor(options: DecoderOptions) {
    super(options, options.embeddingDim)
    this.featureSize = options.hiddenSize
  }

  step({ words, state }: StepInput): DecoderStep {
    const { output, h, c } = stepOf(this.rnn, words, state)
    return { features: output, state: { h, c, fed: null }, weights: null }
  }

  override whole(words: PackedSequence, { h, c }: DecoderState): PackedSequence {
    return this.rnn.forward(words, { h: swapped(h), c: c && swapped(c) }).output
  }
}

/** Reads the encoder's last state z at each step, and hands it to the output layer too (Cho et al. 2014). */
export class ContextDecoder extends Decoder {
  readonly featureSize: number

  constructor(options: DecoderOptions) {
    super(options, options.embeddingDim + options.encodedSize)
    this.featureSize = options.embeddingDim + options.hiddenSize + options.encodedSize
  }

  step({ words, sequences, state, memory }: StepInput): DecoderStep {
    const z = repeatRows(memory.summary, sequences).data
    const { output, h, c } = stepOf(this.rnn, beside(words, z), state)
    return { features: beside(words, output, z), state: { h, c, fed: null }, weights: null }
  }

  override whole(words: PackedSequence, { h, c }: DecoderState, { summary }: Memory): PackedSequence {
    const { sequences } = words
    const [rows, z] = [packedRows(words), repeatRows(summary, sequences).data]
    const x = new PackedSequence(beside(rows, z), sequences)
    const { output } = this.rnn.forward(x, { h: swapped(h), c: c && swapped(c) })
    return new PackedSequence(beside(rows, output.data, z), sequences)
  }
}

/** Matrices side by side. @internal */
export function beside(...parts: Matrix[]): Matrix {
  return cat(parts, 1)
}
